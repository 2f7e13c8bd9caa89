"""The terminal UI: a viewer of runs. Jobs are processes of their own; closing it stops none of them."""
