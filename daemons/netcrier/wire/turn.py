"""TURN: where a lane ended in an earlier term, and in which term it goes on. The answer to reports of that term.

head 32, lane 1, term 4, last number in the store 8, last number that nodes have 8, next term 4,
nodes 1+n*(roster index 4, node's boot 4, received 8), signature 64

A node that is named with the mark that it has, and lacks nothing up to `last`, goes on with the next term: the master
has committed all that it said of the earlier one.
"""

from __future__ import annotations

import msgspec

from netcrier.errors import DecodeError
from netcrier.ids import LANES
from netcrier.wire.codec import Reader
from netcrier.wire.limits import HEARD_MAX
from netcrier.wire.signed import Head, read_head, split, write_head


class Stand(msgspec.Struct, frozen=True):
    """The mark that the node with this index has told, in this boot of it."""

    index: int
    boot: int
    received: int


class Turn(msgspec.Struct, frozen=True):
    """`last`: the newest number that the master has; `known`: that some node has. At most HEARD_MAX stands."""

    head: Head
    lane: int
    term: int
    last: int
    known: int
    following: int
    stands: tuple[Stand, ...]


def encode_turn(turn: Turn) -> bytes:
    """The content to sign."""
    writer = write_head(turn.head).uint(turn.lane, 1).uint(turn.term, 4).uint(turn.last, 8).uint(turn.known, 8)
    writer.uint(turn.following, 4).uint(len(turn.stands), 1)
    for stand in turn.stands:
        writer.uint(stand.index, 4).uint(stand.boot, 4).uint(stand.received, 8)
    return bytes(writer)


def decode_turn(plaintext: bytes) -> Turn:
    """The turn of a signed plaintext; the signature is verified elsewhere."""
    reader = Reader(split(plaintext)[0])
    head, lane, term, last, known, following = (read_head(reader), *(reader.uint(size) for size in (1, 4, 8, 8, 4)))
    stands = tuple(Stand(reader.uint(4), reader.uint(4), reader.uint(8)) for _ in range(reader.count(HEARD_MAX)))
    reader.end()
    if lane not in LANES or not 1 <= term < following <= head.term or last > known:
        raise DecodeError("malformed", "turn")
    return Turn(head, lane, term, last, known, following, stands)
