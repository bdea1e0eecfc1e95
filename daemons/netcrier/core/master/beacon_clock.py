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
        self._single: set[int] = set()

    def left(self, counter: int, now: float, single: bool = False) -> None:
        """The beacon with this counter leaves; `single`: only to the nodes that are served one by one."""
        self._times[counter] = now
        if single:
            self._single.add(counter)
        if len(self._times) > _REMEMBERED:
            oldest = next(iter(self._times))
            del self._times[oldest]
            self._single.discard(oldest)

    def anew(self, now: float) -> None:
        """What every beacon says has changed: they come quickly, as after a start."""
        self._sent = 0
        self.timer = now + beacon_delay(0)

    def said(self, now: float) -> None:
        """A beacon has been said to all."""
        self._sent += 1
        self.timer = now + beacon_delay(self._sent)

    def left_at(self, counter: int) -> float | None:
        """When the beacon with this counter left."""
        return self._times.get(counter)

    def was_single(self, counter: int) -> bool:
        """Whether that beacon went only to nodes that are served one by one."""
        return counter in self._single
