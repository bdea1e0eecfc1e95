"""What a handler leaves behind, also in sessions of its own: it comes to this process, by prctl(2), and is killed.

Where the C library cannot be called, only the handler's own session is killed; under systemd the unit's control group
goes with the runner all the same.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

_PDEATHSIG, _CHILD_SUBREAPER = 1, 36  # PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER
_PATIENCE: Final = 2.0
"""Seconds in which all must be gone; something that starts others faster than they are killed gets no more."""


class Orphans:
    """Children of children that have lost their parent become this process's own."""

    def __init__(self) -> None:
        self._others = frozenset(_children())
        self._prctl: Callable[..., object] | None = None
        try:
            import ctypes

            self._prctl = ctypes.CDLL(None).prctl
            self._prctl(_CHILD_SUBREAPER, 1, 0, 0, 0)
        except (ImportError, MemoryError, OSError, AttributeError):  # no ctypes, or no memory that may be executed
            pass

    def die_with_parent(self) -> None:
        """In a child before exec: it ends with this process, even where that is killed."""
        if self._prctl:
            self._prctl(_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)

    def kill(self) -> None:
        """All that is left, and what it leaves in turn."""
        end = time.monotonic() + _PATIENCE
        while (found := set(_children()) - self._others) and time.monotonic() < end:
            for pid in found:
                with suppress(ProcessLookupError, PermissionError, ChildProcessError):
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, os.WNOHANG)
            time.sleep(0.002)


def _children() -> list[int]:
    try:
        return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    except OSError:
        return []
