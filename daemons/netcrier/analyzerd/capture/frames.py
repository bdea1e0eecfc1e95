"""The frames of a capture file one by one, in plain Python: for looking at a few; the engine walks millions."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING

from netcrier.analyzerd.capture import pcap, pcapng
from netcrier.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterator

SECOND = 1_000_000_000
RECORD_MOST = 256 * 1024
"""Bytes of a frame, as the engine takes them; a longer one is taken for a broken file."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as it was captured."""

    time: int
    """Nanoseconds since 1970; 0 where the file has none (a pcapng simple block)."""
    link: int
    """LINKTYPE_ number."""
    wire: int
    """Bytes on the wire."""
    data: memoryview
    """The bytes in the file; they go with its mapping."""


def frames(data: memoryview) -> Iterator[Frame]:
    """Raises DecodeError: "not-a-capture", or another reason after the last whole frame."""
    return _pcapng(data) if bytes(data[:4]) == pcapng.SECTION else _pcap(data)


def _pcap(data: memoryview) -> Iterator[Frame]:
    header = pcap.PcapHeader.parse(data)
    record = Struct(">IIII" if header.big else "<IIII")
    unit = 1 if header.nanoseconds else 1000
    at = pcap.HEADER_SIZE
    while at < len(data):
        left = len(data) - at - record.size
        seconds, rest, have, wire = record.unpack_from(data, at) if left >= 0 else (0, 0, 0, 0)
        if left < 0 or have > left:
            raise DecodeError("truncated", f"{len(data) - at} bytes at the end are not a whole record")
        if have > RECORD_MOST:
            raise DecodeError("bad-block", f"a record of {have} bytes")
        at += record.size
        yield Frame(seconds * SECOND + rest * unit, header.link, max(have, wire), data[at : at + have])
        at += have


def _pcapng(data: memoryview) -> Iterator[Frame]:
    known: list[pcapng.Interface] = []
    order: pcapng.Order = "<"
    at = 0
    while at < len(data):
        order, kind, size = pcapng.head(data, at, order)
        block = data[at : at + size]
        if kind == pcapng.BLOCK_SECTION:
            known = []
        elif kind == pcapng.BLOCK_INTERFACE:
            known.append(pcapng.Interface.parse(block, order))
        elif kind in pcapng.PACKET_BLOCKS:
            yield _packet(block, kind, order, known)
        at += size


def _packet(block: memoryview, kind: int, order: pcapng.Order, known: list[pcapng.Interface]) -> Frame:
    """The frame of an enhanced (6), obsolete (2) or simple (3) packet block."""
    simple = kind == 3
    start = 12 if simple else 28
    if len(block) < start + 4:
        raise DecodeError("bad-block", f"a packet block of {len(block)} bytes")
    room = len(block) - start - 4
    if simple:
        number, high, low = 0, 0, 0
        (wire,) = Struct(f"{order}I").unpack_from(block, 8)
        have = min(wire, room)
    else:
        number, high, low, have, wire = Struct(f"{order}IIIII").unpack_from(block, 8)
        if kind == 2:
            (number,) = Struct(f"{order}H").unpack_from(block, 8)
    if number >= len(known) or not 0 <= have <= min(room, RECORD_MOST):
        raise DecodeError("bad-block", "a packet block that contradicts itself")
    source = known[number]
    if simple and source.snap:
        have = min(have, source.snap)
    time = 0 if simple else source.offset + ((high << 32) + low) * SECOND // source.resolution
    return Frame(time, source.link, max(have, wire), block[start : start + have])
