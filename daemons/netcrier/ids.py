"""Names of things that cross module borders: groups, masters, nodes, messages. Values only, no behaviour but text."""

from __future__ import annotations

from typing import NewType

import msgspec

GroupId = NewType("GroupId", bytes)
"""8 random bytes, made with the group."""

MasterId = NewType("MasterId", bytes)
"""16 bytes: BLAKE2b-128 of the master's Ed25519 public key."""

NodeId = NewType("NodeId", bytes)
"""16 bytes: BLAKE2b-128 of the node's X25519 public key."""

GROUP_ID_SIZE = 8
PEER_ID_SIZE = 16

QUEUE_LANE = 0
URGENT_LANE = 1
LANES = (QUEUE_LANE, URGENT_LANE)


class MessageId(msgspec.Struct, frozen=True, order=True):
    """A message of one master: text form `1284` (lane 0, term 1), `u7` (urgent), `3/1284` (a later term)."""

    term: int
    lane: int
    sequence: int

    def __str__(self) -> str:
        name = f"{'u' if self.lane == URGENT_LANE else ''}{self.sequence}"
        return name if self.term == 1 else f"{self.term}/{name}"

    @classmethod
    def parse(cls, text: str) -> MessageId:
        """The inverse of `str`; a leading `#` is allowed. Raises ValueError."""
        head, slash, tail = text.removeprefix("#").rpartition("/")
        lane = URGENT_LANE if tail.startswith("u") else QUEUE_LANE
        return cls(int(head) if slash else 1, lane, int(tail.removeprefix("u")))
