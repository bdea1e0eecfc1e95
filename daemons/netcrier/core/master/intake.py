"""How many receipts a second the master takes in: what it has been seen to lose makes the receipt window wider.

Half as many as before where the kernel has dropped datagrams for want of buffer, once for each burst; twice as many
after a calm minute. What is dropped may be anybody's, so a flood can make the window wider, within INTAKE_LEAST.
"""

from __future__ import annotations

from typing import Final

from netcrier.core.pacing import RECEIPTS_PER_SECOND

INTAKE_LEAST: Final = RECEIPTS_PER_SECOND // 8
"""A window is at most eight times as wide as at best."""
BURST: Final = 1.0
"""Seconds within which drops are of one cause."""
CALM: Final = 60.0
"""Seconds without a drop after which more is tried."""


class Intake:
    """See the module."""

    def __init__(self) -> None:
        self.per_second = RECEIPTS_PER_SECOND
        self._drops = 0
        self._changed_at: float | None = None

    def look(self, drops: int, now: float) -> None:
        """`drops`: what the kernel has dropped so far, in all."""
        lost, self._drops = drops > self._drops, drops
        since = now - self._changed_at if self._changed_at is not None else CALM
        if lost and since >= BURST:
            self.per_second = max(self.per_second // 2, INTAKE_LEAST)
            self._changed_at = now
        elif not lost and since >= CALM and self.per_second < RECEIPTS_PER_SECOND:
            self.per_second *= 2
            self._changed_at = now
