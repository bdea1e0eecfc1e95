"""All messages on their way: which receipts a report brings, which messages are complete, which nodes lack what.

Rules: a message is open until every expected node has delivered it or has said why not; at most REMEMBERED are kept,
the oldest go first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from netcrier.core.delivery import Delivery, Receipt, State
from netcrier.core.events import Completed
from netcrier.ids import MessageId

REMEMBERED: Final = 10_000
"""Messages whose deliveries are kept in memory; the store has the others."""


class Deliveries:
    """See the module."""

    def __init__(self) -> None:
        self._all: dict[MessageId, Delivery] = {}
        self._open: dict[MessageId, Delivery] = {}
        self._complete: set[MessageId] = set()

    def get(self, identity: MessageId) -> Delivery | None:
        """The delivery of a message, where it is remembered."""
        return self._all.get(identity)

    def between(self, term: int, lane: int, first: int, last: int) -> Iterable[int]:
        """Numbers from `first` to `last` of a lane, in order; of many, those that are remembered."""
        if last - first < len(self._all):
            return range(first, last + 1)
        mine = (one.sequence for one in self._all if one.term == term and one.lane == lane)
        return sorted(sequence for sequence in mine if first <= sequence <= last)

    def __iter__(self) -> Iterator[Delivery]:
        return iter(self._all.values())

    @property
    def open(self) -> Iterable[Delivery]:
        """Those that some node has not delivered, the oldest first."""
        return self._open.values()

    def owed(self, index: int, lane: int) -> MessageId | None:
        """The oldest message of a lane that this node has not acknowledged."""
        found = (one.message for one in self._open.values() if one.message.lane == lane and index in one.outstanding)
        return min(found, default=None, key=lambda message: (message.term, message.sequence))

    def track(self, delivery: Delivery) -> None:
        """A message is sent, or comes back from the store."""
        self._all[delivery.message] = delivery
        if delivery.undelivered:
            self._open[delivery.message] = delivery
            if not delivery.outstanding:
                self._complete.add(delivery.message)
        while len(self._all) > REMEMBERED:
            oldest = next(iter(self._all))
            del self._all[oldest]
            self._open.pop(oldest, None)
            self._complete.discard(oldest)

    def forget(self, index: int) -> list[Completed]:
        """Nothing is expected from this node any more; what is complete by that."""
        for delivery in self._all.values():
            delivery.forget(index)
        return self.completed(list(self._open))

    def move(self, identity: MessageId, index: int, state: State, now: float, code: int = 0) -> Receipt | None:
        """A step of a message; None where it tells nothing new."""
        delivery = self._all.get(identity)
        return delivery.move(index, state, now, code) if delivery else None

    def repeated(self, identity: MessageId, indexes: Iterable[int]) -> None:
        """The message was sent again for these nodes."""
        delivery = self._all.get(identity)
        if delivery:
            for index in indexes:
                delivery.repeats[index] = delivery.repeats.get(index, 0) + 1

    def stray(self, identity: MessageId, index: int, now: float) -> Receipt | None:
        """A node has a message of which it does not know whether the master expects that."""
        delivery = self._all.get(identity)
        return delivery.stray(index, now) if delivery else None

    def revoke(self, index: int, now: float) -> tuple[tuple[Receipt, ...], list[Completed]]:
        """Nothing is waited for from this node: the steps that this makes, and what is complete by that."""
        receipts = [delivery.revoke(index, now) for delivery in self._open.values()]
        return tuple(receipt for receipt in receipts if receipt), self.completed(list(self._open))

    def completed(self, touched: Iterable[MessageId]) -> list[Completed]:
        """Which of these messages are settled now: nothing is outstanding. Each is said once."""
        found = []
        for identity in touched:
            delivery = self._open.get(identity)
            if delivery is None:
                continue
            if not delivery.outstanding and identity not in self._complete:
                self._complete.add(identity)
                found.append(Completed(identity, delivery.expected, delivery.last, delivery.received))
            if not delivery.undelivered:
                del self._open[identity]
                self._complete.discard(identity)
        return found
