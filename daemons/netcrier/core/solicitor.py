"""Whom to ask for an overdue receipt, and when: nodes that are here, each ever more rarely while it stays silent."""

from __future__ import annotations

from typing import Final

from netcrier.core.deliveries import Deliveries
from netcrier.core.pacing import DelayMeter
from netcrier.core.roster import Node, Roster

CALLS_AFTER_BOOT: Final = 6
"""How often a node that has not spoken in this run is asked: it may have been here before."""
_DOUBLINGS = 6


class Solicitor:
    """Decides from deliveries and roster; `meter` has learnt how late receipts come."""

    def __init__(self, roster: Roster, deliveries: Deliveries) -> None:
        self._roster, self._deliveries = roster, deliveries
        self.meter = DelayMeter()
        self.timer: float | None = None

    def soon(self, at: float) -> None:
        """Look again at this time at the latest."""
        if self.timer is None or at < self.timer:
            self.timer = at

    def due(self, now: float, window: float) -> list[tuple[int, int, set[int]]]:
        """(lane, highest number, node indexes) to ask now."""
        patience = window + self.meter.timeout
        asked: dict[int, set[int]] = {}
        highest: dict[int, int] = {}
        later: list[float] = []
        for delivery in self._deliveries.open:
            lane = delivery.message.lane
            for index in delivery.outstanding:
                node = self._roster.at(index)
                if node is None or not self._worth_asking(node, now):
                    continue
                at = max(delivery.sent_at + patience, node.solicit_at)
                if at > now:
                    later.append(at)
                    continue
                asked.setdefault(lane, set()).add(index)
                highest[lane] = max(delivery.message.sequence, highest.get(lane, 0))
        for index in {index for indexes in asked.values() for index in indexes}:
            later.append(self._asked(index, now, patience))
        self.timer = min(later, default=None)
        return [(lane, highest[lane], indexes) for lane, indexes in asked.items()]

    def _asked(self, index: int, now: float, patience: float) -> float:
        """When to ask this node again."""
        node = self._roster.at(index)
        assert node is not None
        node.solicit_at = now + patience * (1 << min(node.solicited, _DOUBLINGS))
        node.solicited += 1
        return node.solicit_at

    def _worth_asking(self, node: Node, now: float) -> bool:
        return self._roster.here(node, now) or (node.heard_at is None and node.solicited < CALLS_AFTER_BOOT)
