"""What became of one message at each node that the master expects it from: a table of states.

    pending -> received -> delivered

Later states (handled, refused, expired, missed) append to the table. An illegal move is a missing key: it changes
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from netcrier.ids import MessageId


class State(IntEnum):
    """A message at a node. Numbers are on disk: append-only."""

    PENDING = 0
    RECEIVED = 1
    DELIVERED = 2


_MOVES = frozenset(
    {
        (State.PENDING, State.RECEIVED),
        (State.PENDING, State.DELIVERED),
        (State.RECEIVED, State.DELIVERED),
    }
)


@dataclass(frozen=True, slots=True)
class Receipt:
    """A step of one message at one node; `after` is seconds since the message was sent."""

    message: MessageId
    index: int
    state: State
    after: float


class Delivery:
    """One message on its way to the nodes `expected` (roster indexes)."""

    __slots__ = ("expected", "last", "message", "outstanding", "sent_at", "states", "undelivered")

    def __init__(
        self, message: MessageId, expected: Iterable[int], sent_at: float, states: Mapping[int, State] | None = None
    ) -> None:
        self.message = message
        self.sent_at = sent_at
        self.last = 0.0
        """Seconds from sending to the newest receipt of this run."""
        self.states: dict[int, State] = dict.fromkeys(expected, State.PENDING) | dict(states or {})
        self.expected = len(self.states)
        self.outstanding = {index for index, state in self.states.items() if state is State.PENDING}
        self.undelivered = {index for index, state in self.states.items() if state is not State.DELIVERED}

    def move(self, index: int, state: State, now: float) -> Receipt | None:
        """The receipt, or None where it tells nothing new or was not expected."""
        before = self.states.get(index)
        if before is None or (before, state) not in _MOVES:
            return None
        self.states[index] = state
        self.outstanding.discard(index)
        if state is State.DELIVERED:
            self.undelivered.discard(index)
        if before is State.PENDING:
            self.last = max(self.last, now - self.sent_at)
        return Receipt(self.message, index, state, now - self.sent_at)

    def forget(self, index: int) -> None:
        """The node is gone for good: nothing is expected from it."""
        if self.states.pop(index, None) is not None:
            self.expected -= 1
        self.outstanding.discard(index)
        self.undelivered.discard(index)
