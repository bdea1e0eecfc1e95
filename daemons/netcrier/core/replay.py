"""A sliding window over counters: each is accepted once (RFC 4303 section 3.4.3 in spirit)."""

from __future__ import annotations

from netcrier.wire.limits import COUNTER_WINDOW


class CounterWindow:
    """Remembers the newest counter and which of the COUNTER_WINDOW before it were seen.

    What lies before the first counter counts as seen: a receiver that has started anew does not know what it had
    accepted before, and takes no recording of it.
    """

    __slots__ = ("_newest", "_seen")

    def __init__(self) -> None:
        self._newest = -1
        self._seen = 0

    def accept(self, counter: int) -> bool:
        """True the first time; False for a repeated counter or one that is too old to tell."""
        ahead = counter - self._newest
        if self._newest < 0:
            self._newest, self._seen = counter, (1 << COUNTER_WINDOW) - 1
            return True
        if ahead > 0:
            self._seen = (self._seen << ahead | 1) & (1 << COUNTER_WINDOW) - 1 if ahead < COUNTER_WINDOW else 1
            self._newest = counter
            return True
        if -ahead >= COUNTER_WINDOW or self._seen >> -ahead & 1:
            return False
        self._seen |= 1 << -ahead
        return True
