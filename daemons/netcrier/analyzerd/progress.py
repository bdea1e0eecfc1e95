"""How far `--read` has come, on one line of a terminal that is written over itself and is gone at the end."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

EVERY = 0.1
"""Seconds between two looks."""

WIDTH = 24
"""Characters of the bar."""

_ERASE = "\r\x1b[K"


class Progress:
    """Silent where `out` is no terminal."""

    def __init__(self, out: TextIO, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`total` in bytes, 0 where nobody knows."""
        self._out, self._total, self._clock = out, total, clock
        self._on = out.isatty()
        self._begun = self._shown = clock()
        self._visible = False

    def show(self, name: str, done: int, packets: int) -> None:
        """Bytes and packets so far."""
        now = self._clock()
        if not self._on or now - self._shown < EVERY:
            return
        self._shown = now
        self._visible = True
        share = min(1.0, done / self._total) if self._total else None
        text = line(name, share, packets, packets / max(now - self._begun, 1e-9))
        self._out.write(_ERASE + text[: _columns(self._out) - 1])
        self._out.flush()

    def clear(self) -> None:
        """Leave the line empty, for what is said next."""
        if self._visible:
            self._out.write(_ERASE)
            self._out.flush()
            self._visible = False


def line(name: str, share: float | None, packets: int, rate: float) -> str:
    """`[######------------------]  25 %   1,234,567 packets   4.1 M/s   name`; `share` is of 1, None: not known."""
    filled = 0 if share is None else int(share * WIDTH)
    bar = "" if share is None else f"[{'#' * filled}{'-' * (WIDTH - filled)}] {share:4.0%}   ".replace("%", " %")
    return f"{bar}{packets:,} packets   {rate / 1e6:.1f} M/s   {name}"


def _columns(out: TextIO) -> int:
    try:
        return os.get_terminal_size(out.fileno()).columns or 80
    except OSError:
        return 80
