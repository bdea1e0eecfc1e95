"""When to beacon: at 10, 20, 40 … ms after a start, then every second. What a message lacks is for the solicitor."""

from __future__ import annotations

from netcrier.core.pacing import beacon_delay

_REMEMBERED = 64


class BeaconClock:
    """The next beacon, and when the last ones left (for round trips)."""

    def __init__(self) -> None:
        self.timer = 0.0
        self._sent = 0
        self._times: dict[int, float] = {}

    def beacon_sent(self, counter: int, now: float) -> None:
        """A beacon has left."""
        self._times[counter] = now
        if len(self._times) > _REMEMBERED:
            del self._times[next(iter(self._times))]
        self._sent += 1
        self.timer = now + beacon_delay(self._sent)

    def left_at(self, counter: int) -> float | None:
        """When the beacon with this counter left."""
        return self._times.get(counter)
