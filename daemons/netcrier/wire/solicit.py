"""SOLICIT: the master asks named nodes for their report of a lane, up to a number.

head 32, lane 1, sequence 8, receipt window 4 (µs), first roster index 4, bitmap 2+n (bit i, most significant first:
the node with roster index first + i), signature 64
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from netcrier.wire.codec import Reader
from netcrier.wire.limits import SOLICIT_BITS_MAX
from netcrier.wire.signed import Head, read_head, split, write_head

_BYTES_MAX = SOLICIT_BITS_MAX // 8


class Solicit(msgspec.Struct, frozen=True):
    """Who is asked; `bitmap` covers roster indexes from `first` on."""

    head: Head
    lane: int
    sequence: int
    window_us: int
    first: int
    bitmap: bytes

    def asks(self, index: int) -> bool:
        """Whether the node with this roster index is meant."""
        byte, bit = divmod(index - self.first, 8)
        return 0 <= byte < len(self.bitmap) and bool(self.bitmap[byte] & 0x80 >> bit)


def bitmaps(indexes: Iterable[int]) -> list[tuple[int, bytes]]:
    """(first index, bitmap) pairs that cover `indexes`, each within one datagram."""
    found: list[tuple[int, bytearray]] = []
    for index in sorted(indexes):
        if not found or index - found[-1][0] >= SOLICIT_BITS_MAX:
            found.append((index, bytearray()))
        first, bits = found[-1]
        byte, bit = divmod(index - first, 8)
        bits.extend(bytes(byte + 1 - len(bits)))
        bits[byte] |= 0x80 >> bit
    return [(first, bytes(bits)) for first, bits in found]


def encode_solicit(solicit: Solicit) -> bytes:
    """The content to sign."""
    writer = write_head(solicit.head).uint(solicit.lane, 1).uint(solicit.sequence, 8)
    writer.uint(solicit.window_us, 4).uint(solicit.first, 4)
    return bytes(writer.counted(solicit.bitmap, _BYTES_MAX, width=2))


def decode_solicit(plaintext: bytes) -> Solicit:
    """The solicitation of a signed plaintext; the signature is verified elsewhere."""
    reader = Reader(split(plaintext)[0])
    solicit = Solicit(
        read_head(reader),
        reader.uint(1),
        reader.uint(8),
        reader.uint(4),
        reader.uint(4),
        reader.counted(_BYTES_MAX, width=2),
    )
    reader.end()
    return solicit
