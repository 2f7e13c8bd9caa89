"""TextArena behind the game file `textarena.py`: kept apart, run, and made harmless."""
