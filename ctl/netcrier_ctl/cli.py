"""netctl's entry: arguments in, exit status out. Ctrl-C and a reader that leaves end it without a trace."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TextIO

from netcrier_ctl.startup import faster_start


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status; raises SystemExit for --help and for arguments that are wrong, as argparse does."""
    faster_start()
    from netcrier_ctl.exit_codes import Exit
    from netcrier_ctl.program import start

    sys.stdin, sys.stdout, sys.stderr = (stream or _nothing() for stream in (sys.stdin, sys.stdout, sys.stderr))
    words = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that has no `…` still shows the line
    try:
        code = start(words, os.environ, sys.stdin.buffer, sys.stdout, sys.stderr)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at exit
        return Exit.PIPE_CLOSED
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    return code


def _nothing() -> TextIO:
    """In place of a stream that the caller has closed."""
    return open(os.devnull, "r+")  # noqa: PTH123 - it stays open until the end, and is no path of ours


if __name__ == "__main__":
    sys.exit(main())
