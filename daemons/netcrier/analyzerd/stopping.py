"""Signals that end a reading early, and in order: it stops where it is, and what was read is logged.

The first one asks; the second ends the process at once. A signal that is ignored when it starts (nohup) stays ignored.
A handler runs between any two steps of the main thread, so it raises nothing there: it only wakes who waits.
"""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType, TracebackType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(Exception):
    """Raised out of a call that would wait for long, where nothing is lost by it."""


class Stopping:
    """A context in which SIGNALS are heard."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        """The one that came."""
        self._end: Callable[[], None] | None = None
        self._before: dict[signal.Signals, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Stopping:
        for number in SIGNALS:
            before = signal.getsignal(number)
            if before is not signal.SIG_IGN:
                self._before[number] = before
                signal.signal(number, self._take)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    @contextmanager
    def by(self, end: Callable[[], None]) -> Iterator[None]:
        """While this goes on, a signal calls `end`; at once where it has come already."""
        self._end = end
        try:
            if self.signal:
                end()
            yield
        finally:
            self._end = None

    @property
    def status(self) -> int:
        """What a shell calls a program that a signal ended: 130 after Ctrl-C, 143 after SIGTERM; else 0."""
        return 128 + self.signal if self.signal else 0

    def _take(self, number: int, _frame: FrameType | None) -> None:
        self.signal = signal.Signals(number)
        for heard in self._before:
            signal.signal(heard, signal.SIG_DFL)
        if self._end:
            self._end()


def leave() -> None:
    """An `end` of what loses nothing. Raises Stopped."""
    raise Stopped
