"""What became of one message at each node: a table of states.

    pending -> received -> delivered -> handled
    pending -> refused, missed, gap          the node is without it, and has said so
    pending -> expired -> missed             its age limit passed before the node was known to have it
    expired -> received …                    the node had it in time after all
    pending, expired -> revoked              the master shut the node out before it was known to have the message
    revoked -> received …                    it was let in again

An illegal move is a missing key: it changes nothing. A node that was not expected and has the message all the same is
`unexpected`: kept and shown, never waited for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Final

import msgspec

from netcrier.core.states import States
from netcrier.ids import MessageId


class State(IntEnum):
    """A message at a node. Numbers are on disk: append-only."""

    PENDING = 0
    RECEIVED = 1
    DELIVERED = 2
    HANDLED = 3
    """A handler has run; its exit status is the code."""
    REFUSED = 4
    """The node's own tags do not match; the code is the reason."""
    EXPIRED = 5
    """The age limit has passed; whether the node was reached is not known, and it is not tried any more."""
    MISSED = 6
    """The node is without it because it expired, and has that in its log."""
    GAP = 7
    """The node is without it because the master no longer keeps it."""
    REVOKED = 16  # 8 to 15 are for what nodes say
    """The node was shut out; it is not counted as expected any more."""


HAVE: Final = frozenset({State.RECEIVED, State.DELIVERED, State.HANDLED})
"""The node has the message."""

OPEN: Final = frozenset({State.PENDING, State.RECEIVED, State.EXPIRED})
"""More is to come: what a restart of the master has to take up again."""

_WITHOUT = (State.REFUSED, State.MISSED, State.GAP)
MOVES: Final = frozenset(
    {
        *((State.PENDING, state) for state in State if state is not State.PENDING),
        *((State.EXPIRED, state) for state in (*HAVE, *_WITHOUT, State.REVOKED)),
        *((State.REVOKED, state) for state in HAVE),
        (State.RECEIVED, State.DELIVERED),
        (State.RECEIVED, State.HANDLED),
        (State.RECEIVED, State.REFUSED),
        (State.DELIVERED, State.HANDLED),
    }
)
"""(before, after) of every step that there is."""


class Receipt(msgspec.Struct, frozen=True):
    """A step of one message at one node; `after` is seconds since the message was sent."""

    message: MessageId
    index: int
    state: State
    after: float
    code: int = 0
    unexpected: bool = False
    repeats: int = 0
    """How often the message was sent again for this node until then."""


class Delivery:
    """One message on its way to the nodes `expected` (roster indexes)."""

    __slots__ = (
        "due_from", "expected", "last", "message", "outstanding", "received", "repeats", "sent_at", "served", "states",
        "strays", "undelivered",
    )  # fmt: skip

    def __init__(
        self, message: MessageId, expected: Iterable[int], sent_at: float, states: Mapping[int, State] | None = None
    ) -> None:
        self.message = message
        self.sent_at = sent_at
        self.due_from: float | None = sent_at
        """From when on a receipt can be overdue; None while it waits to be sent."""
        self.served: dict[int, float] = {}
        """The same by node, for those that pieces were sent to one by one and that have not acknowledged it."""
        self.last = 0.0
        """Seconds from sending to the newest receipt of this run."""
        known = states or {}
        unexpected = known.keys() - set(expected := tuple(expected))
        self.states = States((*expected, *unexpected) if unexpected else expected, State.PENDING, State)
        self.states.update(known)
        self.strays: dict[int, State] = {}
        """Nodes that have the message and were not expected to."""
        self.repeats: dict[int, int] = {}
        """By node: how often the message was sent again for it in this run."""
        self.expected = len(self.states) - len(self.states.those({State.REVOKED}))
        self.received = len(self.states.those(HAVE))
        self.outstanding = self.states.those({State.PENDING})
        self.undelivered = self.states.those(OPEN)

    def move(self, index: int, state: State, now: float, code: int = 0) -> Receipt | None:
        """The receipt, or None where it tells nothing new or was not expected."""
        before = self.states.get(index)
        if before is None:
            return self._move_stray(index, state, now)
        if (before, state) not in MOVES:
            return None
        self.states[index] = state
        self.expected += (before is State.REVOKED) - (state is State.REVOKED)
        self.outstanding.discard(index)
        self.served.pop(index, None)
        (self.undelivered.add if state in OPEN else self.undelivered.discard)(index)
        self._shrink()
        self.received += (state in HAVE) - (before in HAVE)
        if before is State.PENDING and state in HAVE:
            self.last = max(self.last, now - self.sent_at)
        return Receipt(self.message, index, state, now - self.sent_at, code, repeats=self.repeats.get(index, 0))

    def _shrink(self) -> None:
        """A set that was large keeps its room when it is empty: take a new one."""
        if not self.outstanding:
            self.outstanding = set()
        if not self.undelivered:
            self.undelivered = set()

    def stray(self, index: int, now: float) -> Receipt | None:
        """A node says that it has the message and may not have been expected; None where it was, or is known to."""
        if index in self.states or index in self.strays:
            return self.move(index, State.RECEIVED, now)
        self.strays[index] = State.PENDING
        return self._move_stray(index, State.RECEIVED, now)

    def _move_stray(self, index: int, state: State, now: float) -> Receipt | None:
        if index not in self.strays or (self.strays[index], state) not in MOVES:
            return None
        self.strays[index] = state
        return Receipt(self.message, index, state, now - self.sent_at, unexpected=True)

    def revoke(self, index: int, now: float) -> Receipt | None:
        """The node is out of the group: it is waited for no longer, and what it has not received stays so."""
        self.undelivered.discard(index)
        return self.move(index, State.REVOKED, now)

    def forget(self, index: int) -> None:
        """The node is gone for good: nothing is expected from it."""
        self.strays.pop(index, None)
        state = self.states.pop(index, None)
        if state is not None:
            self.expected -= state is not State.REVOKED
            self.received -= state in HAVE
        self.outstanding.discard(index)
        self.served.pop(index, None)
        self.undelivered.discard(index)
