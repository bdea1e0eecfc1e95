"""SKIP: numbers of a lane that a node will not get, and why. With it a lane goes on behind them.

head 32, lane 1, first sequence 8, count 4, cause 1, roster index 4 (0xffffffff: any node), chain 16,
term 4 (only where it is not the head's), signature 64

The chain is the lane's after the last of these numbers: the node cannot make it without them. What is not for one node
may be for another, so such a skip names the node; who records it cannot turn it against others.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import msgspec

from netcrier.errors import DecodeError
from netcrier.ids import LANES
from netcrier.wire.codec import Reader
from netcrier.wire.envelope import DIGEST_SIZE, Digest
from netcrier.wire.limits import SKIP_MAX
from netcrier.wire.signed import Head, read_head, split, write_head

ANY_NODE: Final = 0xFFFFFFFF


class Cause(IntEnum):
    """Why a number is skipped. Append-only."""

    NOT_FOR_YOU = 1
    EXPIRED = 2
    NO_LONGER_KEPT = 3


_CAUSES: Final = frozenset(map(int, Cause))


class Skip(msgspec.Struct, frozen=True):
    """`count` numbers from `first` on. `index`: the only node that it is for, or ANY_NODE."""

    head: Head
    lane: int
    first: int
    count: int
    cause: Cause
    index: int
    chain: Digest
    earlier: int | None = None
    """The term of the numbers, where it is an earlier one than the head's."""

    @property
    def term(self) -> int:
        """The term of the numbers."""
        return self.earlier or self.head.term

    @property
    def last(self) -> int:
        """The last of the numbers."""
        return self.first + self.count - 1


def encode_skip(skip: Skip) -> bytes:
    """The content to sign."""
    writer = write_head(skip.head).uint(skip.lane, 1).uint(skip.first, 8).uint(skip.count, 4)
    writer.uint(skip.cause, 1).uint(skip.index, 4).put(skip.chain, DIGEST_SIZE)
    return bytes(writer.uint(skip.earlier, 4) if skip.earlier else writer)


def decode_skip(plaintext: bytes) -> Skip:
    """The skip of a signed plaintext; the signature is verified elsewhere."""
    reader = Reader(split(plaintext)[0])
    head, lane, first, count = read_head(reader), reader.uint(1), reader.uint(8), reader.uint(4)
    number, index, chain = reader.uint(1), reader.uint(4), Digest(reader.take(DIGEST_SIZE))
    earlier = reader.uint(4) if reader.left else None
    reader.end()
    if earlier is not None and not 1 <= earlier < head.term:
        raise DecodeError("malformed", "skip of another term")
    if number not in _CAUSES or lane not in LANES or not first or not 1 <= count <= SKIP_MAX:
        raise DecodeError("malformed", "skip")
    return Skip(head, lane, first, count, Cause(number), index, chain, earlier)
