"""How every program of this project ends: an exit code, and at most one line about what went wrong."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from arena.core.errors import ArenaError
from arena.core.sanitise import one_line


def fail(message: str, code: int = 1) -> int:
    """Say what went wrong in one line on stderr; returns the exit code."""
    print(f"error: {one_line(message, 2000)}", file=sys.stderr)
    return code


def run_program(work: Callable[[], int], interrupted: str = "interrupted") -> int:
    """Call `work` and return its exit code, once its output is out.

    An ArenaError is told in one line and gives its own code; a reader of stdout that went away gives 1 without a word
    (stdout leads nowhere from then on), Ctrl-C gives 1 and the line `interrupted`. Any other error passes through.
    """
    try:
        code = work()
        sys.stdout.flush()
    except ArenaError as error:
        return fail(str(error), error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except KeyboardInterrupt:
        print(one_line(interrupted, 4000), file=sys.stderr)
        return 1
    return code
