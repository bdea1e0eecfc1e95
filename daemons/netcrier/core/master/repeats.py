"""Repair requests, gathered for a few ms: what many nodes lack is repeated to all, the rest to those that ask."""

from __future__ import annotations

from collections.abc import Iterable

from netcrier.core.pacing import GATHER, GATHER_NEXT, Budget
from netcrier.errors import DecodeError
from netcrier.ids import MessageId
from netcrier.wire.limits import REPAIRS_MAX, REPAIRS_PER_ROUND, REQUESTED_PER_SECOND
from netcrier.wire.report import Request


class Repeats:
    """What is to be repeated, and when the next round is."""

    def __init__(self) -> None:
        self._wanted: dict[MessageId, set[int]] = {}
        self._budgets: dict[int, Budget] = {}
        """By node that has asked."""
        self.timer: float | None = None

    def allow(self, request: Request, index: int, now: float) -> None:
        """Before it is looked at. DecodeError where the node with this index asks for more than its share."""
        budget = self._budgets.get(index)
        if budget is None:
            budget = self._budgets[index] = Budget(REQUESTED_PER_SECOND)
        if not budget.spend(now, max(1, sum(count for _, count in request.ranges))):
            raise DecodeError("too many requests")

    def want(self, messages: Iterable[MessageId], index: int, now: float) -> None:
        """The node with this index lacks these. DecodeError `too many repairs` beyond the limit; it asks again."""
        try:
            for identity in messages:
                if identity not in self._wanted and len(self._wanted) >= REPAIRS_MAX:
                    raise DecodeError("too many repairs")
                self._wanted.setdefault(identity, set()).add(index)
        finally:
            if self._wanted and self.timer is None:
                self.timer = now + GATHER

    def due(self, now: float) -> list[tuple[MessageId, set[int]]]:
        """One round: messages, each with the indexes of the nodes that lack it."""
        round_ = list(self._wanted)[:REPAIRS_PER_ROUND]
        found = [(identity, self._wanted.pop(identity)) for identity in round_]
        self.timer = now + GATHER_NEXT if self._wanted else None
        return found
