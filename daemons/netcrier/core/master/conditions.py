"""The conditions of messages that have some: whom they are for, and until when. Decides what a node is skipped over.

Rules:
- The expected nodes are fixed when the message is sent. To a node outside of them the message is not repeated.
- An age limit ends on the master's clock: after it the message is not repeated to anybody.
- What the store has dropped is skipped for everyone, up to the first number that it keeps.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from typing import Final

import msgspec

from netcrier.core.master.outbox import OutLane
from netcrier.ids import MessageId
from netcrier.wire.limits import SKIP_MAX
from netcrier.wire.skip import Cause

_LOOKAHEAD: Final = 4096
"""Numbers beyond the one asked for that one skip may cover: it costs a look at each."""


class Condition(msgspec.Struct, frozen=True):
    """`expected`: the nodes that the message is for, None for all; `expires_us`: µs since 1970, None for never."""

    expected: frozenset[int] | None = None
    expires_us: int | None = None

    def cause(self, index: int, now_us: int) -> Cause | None:
        """Why this node does not get the message now."""
        if self.expected is not None and index not in self.expected:
            return Cause.NOT_FOR_YOU
        return Cause.EXPIRED if self.expires_us is not None and now_us > self.expires_us else None


class Run(msgspec.Struct, frozen=True):
    """Consecutive numbers that a node is skipped over for one cause."""

    first: int
    last: int
    cause: Cause


class Conditions:
    """By message; those without any are not here."""

    def __init__(self) -> None:
        self._all: dict[MessageId, Condition] = {}
        self._ends: list[tuple[float, MessageId]] = []

    def put(self, identity: MessageId, condition: Condition, now: float, now_us: int) -> None:
        """A message with conditions is sent, or comes back from the store."""
        self._all[identity] = condition
        if condition.expires_us is not None:
            heappush(self._ends, (now + (condition.expires_us - now_us) / 1e6, identity))

    def drop(self, identities: Iterable[MessageId]) -> None:
        """These messages are no longer kept."""
        gone = [identity for identity in identities if self._all.pop(identity, None)]
        if gone:
            self._ends = [(at, identity) for at, identity in self._ends if identity in self._all]
            heapify(self._ends)

    @property
    def timer(self) -> float | None:
        """When the next age limit ends."""
        return self._ends[0][0] if self._ends else None

    def ended(self, now: float) -> list[MessageId]:
        """The messages whose age limit has ended; each is said once."""
        found = []
        while self._ends and self._ends[0][0] <= now:
            found.append(heappop(self._ends)[1])
        return found

    def run(self, term: int, lane: OutLane, sequence: int, index: int, now_us: int) -> Run | None:
        """The run that begins with this number; None where the node gets it."""
        if sequence < lane.lowest:
            return Run(sequence, min(lane.lowest - 1, sequence + SKIP_MAX - 1), Cause.NO_LONGER_KEPT)
        cause = self._cause(MessageId(term, lane.lane, sequence), index, now_us)
        if cause is None:
            return None
        last = sequence
        while last < min(lane.highest, sequence + _LOOKAHEAD):
            if self._cause(MessageId(term, lane.lane, last + 1), index, now_us) is not cause:
                break
            last += 1
        return Run(sequence, last, cause)

    def _cause(self, identity: MessageId, index: int, now_us: int) -> Cause | None:
        condition = self._all.get(identity)
        return condition.cause(index, now_us) if condition else None
