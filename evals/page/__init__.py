"""A run's result as one HTML file that needs nothing else: plots, tables, and the replay of its matches."""
