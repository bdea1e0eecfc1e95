"""Names of things that cross module borders: groups, masters, nodes, messages. Values only, no behaviour but text."""

from __future__ import annotations

import re
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

TERM_MOST = (1 << 32) - 1
"""A term has four bytes in a datagram."""
SEQUENCE_MOST = (1 << 63) - 1
"""A sequence has eight bytes in a datagram; stores hold it as a signed number."""

_NAME = re.compile(r"#?(?:([0-9]{1,10})/)?(u?)([0-9]{1,19})")


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
        """The inverse of `str`; a leading `#` is allowed. ValueError also for a number that no message can have."""
        found = _NAME.fullmatch(text)
        if found is None:
            raise ValueError("no name of a message")
        term, urgent, sequence = int(found[1] or 1), found[2], int(found[3])
        if not (1 <= term <= TERM_MOST and 1 <= sequence <= SEQUENCE_MOST):
            raise ValueError("no number of a message")
        return cls(term, URGENT_LANE if urgent else QUEUE_LANE, sequence)
