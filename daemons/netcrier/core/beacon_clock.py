"""When to beacon: at 10, 20, 40 … ms after a start, and after a message while receipts lack; else every second."""

from __future__ import annotations

from typing import Final

from netcrier.core.pacing import BEACON_IDLE, beacon_delay

_REMEMBERED = 64
_AT_BOOT: Final = 7
"""10, 20 … 640 ms: the nodes learn a new boot at once."""


class BeaconClock:
    """The next beacon, and when the last ones left (for round trips)."""

    def __init__(self) -> None:
        self.timer = 0.0
        self._sent = 0
        self._booting = True
        self._times: dict[int, float] = {}

    def message_sent(self, now: float) -> None:
        """Begin the quick succession anew."""
        self._sent = 0
        self.timer = now + beacon_delay(0)

    def beacon_sent(self, counter: int, now: float, awaited: bool) -> None:
        """A beacon has left; `awaited` whether receipts are outstanding."""
        self._times[counter] = now
        if len(self._times) > _REMEMBERED:
            del self._times[next(iter(self._times))]
        self._sent += 1
        self.timer = now + (beacon_delay(self._sent) if awaited or self._booting else BEACON_IDLE)
        self._booting &= self._sent < _AT_BOOT

    def left_at(self, counter: int) -> float | None:
        """When the beacon with this counter left."""
        return self._times.get(counter)
