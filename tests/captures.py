"""The captures that lie beside the repository, and their frames by plain means: pcap and pcapng, also in gzip."""

from __future__ import annotations

import gzip
import os
import struct
from collections.abc import Iterator
from pathlib import Path

SHARED = Path(os.environ.get("NETCRIER_SHARED", Path(__file__).resolve().parents[2] / "shared"))
TRACES = sorted((SHARED / "goldens/traces").glob("*.pcap*")) if SHARED.is_dir() else []
TRAFFIC = sorted((SHARED / "traffic").glob("*.pcap*")) if SHARED.is_dir() else []
SECOND = 1_000_000_000

Frame = tuple[int, bytes, int, int]
"""Time in nanoseconds, bytes, bytes on the wire, link type."""


def read(path: Path) -> list[Frame]:
    """The frames of a capture."""
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    return list(_pcapng(data) if data[:4] == b"\x0a\x0d\x0d\x0a" else _pcap(data))


def _pcap(data: bytes) -> Iterator[Frame]:
    order = "<" if data[:1] in (b"\xd4", b"\x4d") else ">"
    unit = 1 if b"\x3c" in data[1:3] else 1000
    link = struct.unpack_from(f"{order}I", data, 20)[0] & 0xFFFF
    at = 24
    while at + 16 <= len(data):
        seconds, rest, have, wire = struct.unpack_from(f"{order}IIII", data, at)
        yield seconds * SECOND + rest * unit, data[at + 16 : at + 16 + have], wire, link
        at += 16 + have


def _pcapng(data: bytes) -> Iterator[Frame]:
    """Sections, interfaces with a clock of their own, enhanced packets; a simple one has the time of the one before."""
    order, at, clocks, time = "<", 0, list[tuple[int, int]](), 0
    while at + 12 <= len(data):
        if data[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            order, clocks = "<" if data[at + 8] == 0x4D else ">", []
        kind, size = struct.unpack_from(f"{order}II", data, at)
        body = data[at + 8 : at + size - 4]
        if kind == 1:
            clocks.append((struct.unpack_from(f"{order}H", body)[0], _ticks(order, body[8:])))
        elif kind == 6:
            number, high, low, have, wire = struct.unpack_from(f"{order}IIIII", body)
            link, ticks = clocks[number]
            time = (high << 32 | low) * SECOND // ticks
            yield time, body[20 : 20 + have], wire, link
        elif kind == 3:
            (wire,) = struct.unpack_from(f"{order}I", body)
            yield time, body[4 : 4 + wire], wire, clocks[0][0]
        at += size


def _ticks(order: str, options: bytes) -> int:
    """A second's, of an interface's clock."""
    while len(options) >= 4:
        code, size = struct.unpack_from(f"{order}HH", options)
        if code == 9:
            return int(2 ** (options[4] & 0x7F) if options[4] & 0x80 else 10 ** options[4])
        options = options[4 + (size + 3) // 4 * 4 :]
    return 1_000_000
