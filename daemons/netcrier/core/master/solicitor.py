"""Whom to ask for an overdue receipt, and when: nodes that are here, each ever more rarely while it stays silent.

It learns two delays: `receipts`, of receipts that came unasked, and `answers`, of those that were asked for. The first
says when a receipt is overdue, the second when to ask again. A receipt that follows a question sooner than any answer
could was on its way before: it counts as unasked, so that a master that asks too soon learns to wait.
"""

from __future__ import annotations

from typing import Final

from netcrier.core.master.deliveries import Deliveries
from netcrier.core.master.roster import Node, Roster
from netcrier.core.pacing import ASK_MOST, GATHER_NEXT, DelayMeter, few, receipt_slot, receipt_window

CALLS_AFTER_BOOT: Final = 6
"""How often a node that has not spoken in this run is asked: it may have been here before."""
_DOUBLINGS = 6
_ANSWER_LEAST: Final = 0.001
"""Seconds in which no answer comes, where no round trip is known."""


class Solicitor:
    """Decides from deliveries and roster."""

    def __init__(self, roster: Roster, deliveries: Deliveries) -> None:
        self._roster, self._deliveries = roster, deliveries
        self._receipts, self._answers = DelayMeter(), DelayMeter()
        self.timer: float | None = None

    def patience(self, window: float) -> float:
        """How long after a message its receipts are waited for."""
        return window + self._receipts.timeout

    def soon(self, at: float) -> None:
        """Look again at this time at the latest."""
        if self.timer is None or at < self.timer:
            self.timer = at

    def learn(self, node: Node, sequence: int, after: float, window: float, now: float) -> None:
        """A node has told of its newest message, `after` seconds after it was sent."""
        sent, asked = now - after, node.solicited_at
        if node.requested_at > sent:
            return  # it had to be repeated
        slot = receipt_slot(node.row.id, sequence, 1.0)
        if asked <= sent or now - asked < (node.rtt or 2 * _ANSWER_LEAST) / 2:
            self._receipts.observe(min(max(0.0, after - slot * window), ASK_MOST))
        else:
            self._answers.observe(max(0.0, now - asked - slot * receipt_window(1)))

    def heard(self, node: Node, now: float) -> None:
        """It is there: what it still lacks may be on its way, and asking again starts with short pauses."""
        node.solicited, node.solicit_at = 0, now + self._answers.timeout

    def due(self, now: float, window: float) -> list[tuple[int, int, set[int]]]:
        """(lane, highest number, node indexes) to ask now."""
        patience = self.patience(window)
        # Messages that only absent nodes lack may be many: they cost one intersection each, not a look at every node.
        lacking: set[int] = set().union(*(delivery.outstanding for delivery in self._deliveries.open))
        nodes = ((index, self._roster.at(index)) for index in lacking)
        free = {index: node for index, node in nodes if node and self._worth_asking(node, now)}
        asked: dict[int, set[int]] = {}
        highest: dict[int, int] = {}
        later: list[float] = []
        for delivery in self._deliveries.open:
            if delivery.due_from is None:
                continue
            lane, due_from, served = delivery.message.lane, delivery.due_from, delivery.served
            for index in delivery.outstanding & free.keys():
                at = max(max(due_from, served.get(index, due_from)) + patience, free[index].solicit_at)
                if at > now:
                    later.append(at)
                    continue
                asked.setdefault(lane, set()).add(index)
                highest[lane] = max(delivery.message.sequence, highest.get(lane, 0))
        indexes = {index for indexes in asked.values() for index in indexes}
        pause = receipt_window(len(indexes)) + self._answers.timeout
        later += [self._asked(index, now, pause) for index in indexes]
        # Those whose time comes soon are asked together; where all nodes hear the question, fewer questions are asked.
        gather = pause / 2 if len(free) > few(len(self._roster)) else GATHER_NEXT
        self.timer = max(min(later), now + gather) if later else None
        return [(lane, highest[lane], indexes) for lane, indexes in asked.items()]

    def _asked(self, index: int, now: float, pause: float) -> float:
        """When to ask this node again."""
        node = self._roster.at(index)
        assert node is not None
        node.solicited_at = now
        node.solicit_at = now + min(pause * (1 << min(node.solicited, _DOUBLINGS)), max(ASK_MOST, pause))
        node.solicited += 1
        return node.solicit_at

    def _worth_asking(self, node: Node, now: float) -> bool:
        if self._roster.double(node, now):
            return False  # what it answers would not count
        return self._roster.here(node, now) or (node.heard_at is None and node.solicited < CALLS_AFTER_BOOT)
