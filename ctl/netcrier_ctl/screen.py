"""Where netctl writes: standard output for what was asked, standard error for notes and complaints.

On a terminal a line of progress is written over itself; elsewhere, with -q and with --json, there is none.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TextIO

from netcrier_ctl.complaint import complaint
from netcrier_ctl.render import Style, fitted, styled

if TYPE_CHECKING:
    from netcrier_ctl.options import Options

PROGRESS_EVERY = 0.05
"""Seconds between two lines of progress: ten thousand receipts must not become ten thousand writes."""

_ERASE = "\r\x1b[K"


class Screen:
    """The two outputs of one run."""

    def __init__(self, out: TextIO, err: TextIO, options: Options, color: bool, clock: Callable[[], float]) -> None:
        """`clock` is in seconds and paces the progress."""
        self._out, self._err, self._clock = out, err, clock
        self._color, self._quiet = color, options.quiet
        self._terminal = out.isatty()
        self._progress = self._terminal and not options.quiet and not options.json
        self._shown_at: float | None = None
        """When progress was last written; None while there is none on the line."""

    @property
    def terminal(self) -> bool:
        """Whether standard output is one."""
        return self._terminal

    def write(self, text: str) -> None:
        """Text without an end of line, as what clears a terminal."""
        self._out.write(text)

    def binary(self, data: bytes) -> None:
        """Bytes as they are, on standard output."""
        self._out.flush()
        self._out.buffer.write(data)

    @property
    def width(self) -> int | None:
        """Columns of the terminal; None where it is none, and nothing is cut."""
        if not self._terminal:
            return None
        try:
            return os.get_terminal_size(self._out.fileno()).columns or None
        except OSError:
            return None

    def line(self, text: str = "") -> None:
        """One line of what was asked for."""
        self._erase()
        self._out.write(f"{text}\n")

    def lines(self, texts: Iterable[str]) -> None:
        """Several."""
        for text in texts:
            self.line(text)

    def raw(self, data: bytes) -> None:
        """One line of JSON."""
        self._out.write(data.decode() + "\n")

    def whole(self, data: bytes) -> None:
        """Bytes as they are, without an end of line."""
        self._erase()
        self._out.flush()
        self._out.buffer.write(data)
        self._out.buffer.flush()

    def result(self, text: str) -> None:
        """The outcome of a change: silent with -q, as the exit status says it."""
        if not self._quiet:
            self.line(text)

    def note(self, text: str) -> None:
        """A remark on standard error; silent with -q."""
        if not self._quiet:
            self._erase()
            self._out.flush()
            self._err.write(f"{text}\n")

    def complain(self, what: str, hint: str | None = None) -> None:
        """What is wrong, and what to do."""
        self._erase()
        self._out.flush()
        self._err.write(complaint(what, hint) + "\n")

    def progress(self, text: str) -> None:
        """Replace the line of progress."""
        now = self._clock()
        if not self._progress or (self._shown_at is not None and now - self._shown_at < PROGRESS_EVERY):
            return
        self._shown_at = now
        self._out.write(_ERASE + fitted(text, (self.width or 80) - 1))
        self._out.flush()

    def flush(self) -> None:
        """Hand over what is written; after each item of a stream."""
        self._out.flush()

    def styled(self, text: str, style: Style) -> str:
        """`text` in a colour where colours are wanted."""
        return styled(text, style, self._color)

    def _erase(self) -> None:
        if self._shown_at is not None:
            self._out.write(_ERASE)
            self._shown_at = None
