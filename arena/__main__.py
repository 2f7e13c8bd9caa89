"""`python -m arena`, and the command `spiral-arena`."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    gc.disable()  # nothing that is imported goes away again: looking for it takes a tenth of the start
    from arena.cli.bare import is_bare, open_tui

    argv = sys.argv[1:]
    if is_bare(argv):
        from arena.core.program import run_program

        sys.exit(run_program(lambda: open_tui("--no-motion" not in argv, "--no-mouse" not in argv)))
    from arena.cli.app import main as run

    sys.exit(run())


if __name__ == "__main__":
    main()
