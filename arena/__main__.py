"""`python -m arena`, and the command `spiral-arena`."""

from __future__ import annotations

import sys


def main() -> None:
    from arena.cli.app import main as run

    sys.exit(run())


if __name__ == "__main__":
    main()
