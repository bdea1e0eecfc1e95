"""Reading pcapng files (draft-ietf-opsawg-pcapng): sections and interfaces; the engine walks the packet blocks.

Several sections and interfaces, both byte orders, clocks of any resolution and offset. Blocks of other kinds
are passed over. Left out: options other than the clock's, decryption secrets.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Literal

from netcrier.analyzerd.engine import batches
from netcrier.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netcrier.analyzerd.engine import Batch
    from netcrier.analyzerd.engine.kernel import Kernel

SECTION = b"\x0a\x0d\x0d\x0a"
BLOCK_SECTION = 0x0A0D0D0A
BLOCK_INTERFACE = 1
PACKET_BLOCKS = frozenset({2, 3, 6})
_OPTION_RESOLUTION = 9
_OPTION_OFFSET = 14
_SMALLEST_BLOCK = 12

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


@dataclass(frozen=True, slots=True)
class Interface:
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


def _add(kernel: Kernel, one: Interface) -> None:
    try:
        kernel.add_interface(one.link, one.resolution, one.offset, one.snap)
    except ValueError as error:
        raise DecodeError("bad-block", str(error)) from None


def walk(kernel: Kernel, data: memoryview) -> Iterator[Batch]:
    """Feed a whole pcapng file; yields lines as they come.

    Raises DecodeError: "truncated" after the last whole block of a file that is cut short, "bad-block" or
    "bad-clock" at the first block that is not what it claims to be.
    """
    kernel.open(data)
    order: Order = "<"
    at = 0
    try:
        while at < len(data):
            order, kind, size = head(data, at, order)
            if kind in PACKET_BLOCKS:
                after = kernel.pcapng(at, len(data))
                written = list(batches(kernel))
                yield from written
                if after == at and not written:
                    raise DecodeError("bad-block", "a packet block that contradicts itself")
                at = after
                continue
            if kind == BLOCK_SECTION:
                kernel.section(big=order == ">")
            elif kind == BLOCK_INTERFACE:
                _add(kernel, Interface.parse(data[at : at + size], order))
            at += size
    finally:
        kernel.open(None)


def head(data: memoryview, at: int, order: Order) -> tuple[Order, int, int]:
    """Byte order, kind and size of the block at `at`, which is whole."""
    rest = len(data) - at
    if rest < _SMALLEST_BLOCK:
        raise DecodeError("truncated", f"{rest} bytes at the end are not a whole block")
    if bytes(data[at : at + 4]) == SECTION:
        order = _order(data, at)
    kind, size = Struct(f"{order}II").unpack_from(data, at)
    if size < _SMALLEST_BLOCK or size % 4:
        raise DecodeError("bad-block", f"a block of {size} bytes")
    if size > rest:
        raise DecodeError("truncated", f"{rest} bytes at the end are not a whole block")
    return order, kind, size
