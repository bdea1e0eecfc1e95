"""Reading pcapng files (draft-ietf-opsawg-pcapng): sections and interfaces; a scout walks the packet blocks.

Several sections and interfaces, both byte orders, clocks of any resolution and offset. Blocks of other kinds
are passed over. Left out: options other than the clock's, decryption secrets.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Literal, NamedTuple

from netcrier.errors import DecodeError

if TYPE_CHECKING:
    from netcrier.analyzerd.engine.kernel import Scout

SECTION = b"\x0a\x0d\x0d\x0a"
BLOCK_SECTION = 0x0A0D0D0A
BLOCK_INTERFACE = 1
PACKET_BLOCKS = frozenset({2, 3, 6})
_OPTION_RESOLUTION = 9
_OPTION_OFFSET = 14
_SMALLEST_BLOCK = 12
_BLOCK_MOST = 16 << 20
"""Bytes of a block; a longer one is taken for a broken file (Wireshark's limit)."""

Order = Literal["<", ">"]


def _order(data: memoryview, at: int) -> Order:
    magic = bytes(data[at + 8 : at + 12])
    if magic == b"\x4d\x3c\x2b\x1a":
        return "<"
    if magic == b"\x1a\x2b\x3c\x4d":
        return ">"
    raise DecodeError("not-a-capture", "a pcapng section without its byte-order magic")


def _clock(options: memoryview, order: Order) -> tuple[int, int]:
    """Ticks a second and offset in nanoseconds, from an interface's options."""
    head, at, resolution, offset = Struct(f"{order}HH"), 0, 1_000_000, 0
    while len(options) - at >= head.size:
        code, length = head.unpack_from(options, at)
        value = options[at + 4 : at + 4 + length]
        if code == 0 or len(value) < length:
            break
        if code == _OPTION_RESOLUTION and length == 1:
            power = value[0] & 0x7F
            resolution = 2**power if value[0] & 0x80 else 10**power
        elif code == _OPTION_OFFSET and length == 8:
            offset = Struct(f"{order}q").unpack(value)[0] * 1_000_000_000
        at += 4 + (length + 3) // 4 * 4
    if resolution > 10**18 or abs(offset) >= 2**62:
        raise DecodeError("bad-clock", "an interface's clock is out of range")
    return resolution, offset


class Interface(NamedTuple):
    """An interface description: link type (LINKTYPE_ number), snap length (0: none), ticks a second, nanoseconds."""

    link: int
    snap: int
    resolution: int
    offset: int

    @classmethod
    def parse(cls, block: memoryview, order: Order) -> Interface:
        """Raises DecodeError("bad-block" or "bad-clock")."""
        if len(block) < 20:
            raise DecodeError("bad-block", "an interface without its fields")
        link, snap = Struct(f"{order}HxxI").unpack_from(block, 8)
        resolution, offset = _clock(block[16:-4], order)
        return cls(link, snap, resolution, offset)


def _add(scout: Scout, one: Interface) -> None:
    try:
        scout.add_interface(one.link, one.resolution, one.offset, one.snap)
    except ValueError as error:
        raise DecodeError("bad-block", str(error)) from None


def head(data: memoryview, at: int, order: Order) -> tuple[Order, int, int]:
    """Byte order, kind and size of the block at `at`, which is whole."""
    rest = len(data) - at
    if rest < _SMALLEST_BLOCK:
        raise DecodeError("truncated", f"{rest} bytes at the end are not a whole block")
    if bytes(data[at : at + 4]) == SECTION:
        order = _order(data, at)
    kind, size = Struct(f"{order}II").unpack_from(data, at)
    if size < _SMALLEST_BLOCK or size % 4 or size > _BLOCK_MOST:
        raise DecodeError("bad-block", f"a block of {size} bytes")
    if size > rest:
        raise DecodeError("truncated", f"{rest} bytes at the end are not a whole block")
    return order, kind, size


class PcapngWalker:
    """The `Walker` of pcapng."""

    def __init__(self, scout: Scout) -> None:
        self._scout = scout
        self._order: Order = "<"

    def step(self, data: memoryview, at: int, end: int) -> int:
        """Blocks, until the portion is full or no whole one is left. Raises DecodeError at a broken one."""
        while (found := self._head(data[:end], at)) is not None:
            self._order, kind, size = found
            if kind in PACKET_BLOCKS:
                after = self._scout.pcapng(at, end)
                if after == at:
                    return at
                at = after
                continue
            if kind == BLOCK_SECTION:
                self._scout.section(big=self._order == ">")
            elif kind == BLOCK_INTERFACE:
                _add(self._scout, Interface.parse(data[at : at + size], self._order))
            at += size
        return at

    def broken(self, data: memoryview, at: int, end: int) -> DecodeError | None:
        """A whole packet block that the engine does not take."""
        if self._head(data[:end], at) is None:
            return None
        return DecodeError("bad-block", "a packet block that contradicts itself")

    def _head(self, data: memoryview, at: int) -> tuple[Order, int, int] | None:
        try:
            return head(data, at, self._order)
        except DecodeError as error:
            if error.reason == "truncated":
                return None
            raise
