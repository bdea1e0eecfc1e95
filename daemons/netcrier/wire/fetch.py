"""FETCH: what a node lacks of one message in blocks. Sealed for the master alone.

counter 8, term 4, lane 1, sequence 8, flags 1 (bit 0: parity is of use here),
blocks 1+n*(block 2, flags 1 (bit 0: the BLOCK lacks), need 1, bitmap 4 (most significant first: fragment 0))
"""

from __future__ import annotations

import msgspec

from netcrier.errors import DecodeError
from netcrier.ids import LANES, MessageId
from netcrier.wire.codec import Reader, Writer
from netcrier.wire.limits import BLOCKS_MAX, FRAGMENTS_MAX

_BITMAP = FRAGMENTS_MAX // 8


class Lack(msgspec.Struct, frozen=True):
    """What lacks of one block. `need`: how many more of its datagrams, fragments or parity, are enough."""

    block: int
    header: bool
    need: int
    bitmap: int

    def lacks(self, place: int) -> bool:
        """Whether this fragment lacks."""
        return bool(self.bitmap & 1 << FRAGMENTS_MAX - 1 - place)


class Fetch(msgspec.Struct, frozen=True):
    """The blocks that are not whole."""

    counter: int
    message: MessageId
    parity: bool
    lacks: tuple[Lack, ...]


def bitmap_of(places: list[int]) -> int:
    """The bitmap in which these fragments lack."""
    return sum(1 << FRAGMENTS_MAX - 1 - place for place in places)


def encode_fetch(fetch: Fetch) -> bytes:
    """The plaintext to seal."""
    message = fetch.message
    writer = Writer().uint(fetch.counter, 8).uint(message.term, 4).uint(message.lane, 1).uint(message.sequence, 8)
    writer.uint(int(fetch.parity), 1).uint(len(fetch.lacks), 1)
    for lack in fetch.lacks:
        writer.uint(lack.block, 2).uint(int(lack.header), 1).uint(lack.need, 1).uint(lack.bitmap, _BITMAP)
    return bytes(writer)


def _read_lack(reader: Reader) -> Lack:
    lack = Lack(reader.uint(2), bool(reader.uint(1) & 1), reader.uint(1), reader.uint(_BITMAP))
    if lack.block >= BLOCKS_MAX or lack.need > lack.bitmap.bit_count():
        raise DecodeError("malformed", "asks for too much")
    return lack


def decode_fetch(plaintext: bytes) -> Fetch:
    """The inverse of `encode_fetch`; unknown flags are not looked at."""
    reader = Reader(plaintext)
    counter, message = reader.uint(8), MessageId(reader.uint(4), reader.uint(1), reader.uint(8))
    parity = bool(reader.uint(1) & 1)
    lacks = tuple(_read_lack(reader) for _ in range(reader.count(BLOCKS_MAX)))
    reader.end()
    if message.lane not in LANES or len({lack.block for lack in lacks}) != len(lacks):
        raise DecodeError("malformed", "fetch")
    return Fetch(counter, message, parity, lacks)
