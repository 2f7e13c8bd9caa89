"""How every program of this project ends: an exit code, and at most one line about what went wrong."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable

from arena.core.errors import ArenaError
from arena.core.sanitise import one_line

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def fail(message: str, code: int = 1) -> int:
    """Say what went wrong in one line on stderr; returns the exit code."""
    print(f"error: {one_line(message, 2000)}", file=sys.stderr)
    return code


def prepare_streams() -> None:
    """See that the standard streams are there, and that stdout takes every character of ours.

    Those that were closed lead nowhere, also for the job that this process may become. Files and pipes get UTF-8 in
    every locale; a terminal of another encoding gets `?` for what it does not have.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, number)
            os.set_inheritable(number, True)
            if nowhere != number:
                os.close(nowhere)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
    stream = sys.stdout
    if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower().replace("-", "") != "utf8":
        if stream.isatty():
            stream.reconfigure(errors="replace")
        else:
            stream.reconfigure(encoding="utf-8")


def run_program(work: Callable[[], int], interrupted: str = "interrupted") -> int:
    """Call `work` and return its exit code, once its output is out.

    An ArenaError is told in one line and gives its own code; a reader of stdout that went away gives 1 without a word,
    a stdout that takes no more (a full disk) 1 and a line (stdout leads nowhere from then on); Ctrl-C gives 1 and the
    line `interrupted`. Any other error passes through.
    """
    try:
        prepare_streams()
        code = work()
        sys.stdout.flush()
    except ArenaError as error:
        return fail(str(error), error.exit_code)
    except BrokenPipeError:
        _drop_output()
        return 1
    except OSError as error:
        if error.errno not in _FULL:
            raise
        _drop_output()
        return fail(f"What it prints cannot be written: {error.strerror}. Make room, or let it go elsewhere.")
    except KeyboardInterrupt:
        print(one_line(interrupted, 4000), file=sys.stderr)
        return 1
    return code


def _drop_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
