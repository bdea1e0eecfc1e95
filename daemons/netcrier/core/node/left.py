"""Lanes that have left a term before the log had all of it, as where its disk was full.

The master then knows of those messages that they were received, not that they were delivered. Once the log has them,
the lane is reported with that term as well, until the master has heard it.
"""

from __future__ import annotations

from collections.abc import Iterable

from netcrier.core.node.batch import Lane
from netcrier.ids import MessageId
from netcrier.wire.report import LaneReport

Place = tuple[int, int]
"""Term and lane."""


class Left:
    """See the module. `lanes`: as they left their term; `logged`: whether the log has all of them."""

    def __init__(self, lanes: Iterable[Lane], logged: bool) -> None:
        self._lanes: dict[Place, Lane] = {(lane.term, lane.lane): lane for lane in lanes}
        self._logged: set[Place] = set(self._lanes) if logged else set()
        self._said: dict[Place, int] = {}
        """The counter of the first report that has said so."""

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """Of which the master has not heard that the log has all."""
        return tuple(self._lanes.values())

    def add(self, lane: Lane) -> None:
        """It leaves its term as it is."""
        self._lanes[lane.term, lane.lane] = lane

    def logged(self, message: MessageId) -> bool:
        """The log has all of the lane and term up to this message; True where that is all there is, for the first
        time."""
        place = (message.term, message.lane)
        lane = self._lanes.get(place)
        if lane is None or message.sequence < lane.mark or place in self._logged:
            return False
        self._logged.add(place)
        return True

    def listed(self, counter: int, most: int) -> list[LaneReport]:
        """What the report with this counter says of them."""
        found = [lane for place, lane in self._lanes.items() if place in self._logged][:most]
        for lane in found:
            self._said.setdefault((lane.term, lane.lane), counter)
        return [LaneReport(lane.lane, lane.term, lane.mark, lane.mark, lane.chain) for lane in found]

    def heard(self, counter: int) -> list[Place]:
        """The master has committed that report; which are done with by that."""
        told = [place for place, first in self._said.items() if first <= counter]
        for place in told:
            del self._said[place], self._lanes[place]
            self._logged.discard(place)
        return told
