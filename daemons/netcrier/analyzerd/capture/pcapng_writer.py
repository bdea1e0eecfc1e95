"""Writing pcapng (draft-ietf-opsawg-pcapng): one section, interfaces as they turn up, times in nanoseconds."""

from __future__ import annotations

from struct import Struct

_SECTION, _INTERFACE, _ENHANCED = 0x0A0D0D0A, 1, 6
_MAGIC = 0x1A2B3C4D
_NAME, _RESOLUTION, _END = 2, 9, 0
_NANOSECONDS = 9
_FRAME = Struct("=II")
_OPTION = Struct("=HH")
_LENGTH = Struct("=I")


def section() -> bytes:
    """The block that begins a file."""
    return _block(_SECTION, Struct("=IHHq").pack(_MAGIC, 1, 0, -1))


def interface(name: str, link: int, snap: int) -> bytes:
    """The next interface of the section, numbered from 0; `snap` 0: no limit."""
    options = _option(_NAME, name.encode()) + _option(_RESOLUTION, bytes([_NANOSECONDS])) + _option(_END, b"")
    return _block(_INTERFACE, Struct("=HxxI").pack(link, snap) + options)


def packet(number: int, time: int, wire: int, data: bytes) -> bytes:
    """A packet of interface `number` at `time` (nanoseconds), of which `wire` bytes were on the wire."""
    head = Struct("=IIIII").pack(number, time >> 32, time & 0xFFFFFFFF, len(data), wire)
    return _block(_ENHANCED, head + data)


def _block(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    size = len(body) + 12
    return _FRAME.pack(kind, size) + body + _LENGTH.pack(size)


def _option(code: int, value: bytes) -> bytes:
    return _OPTION.pack(code, len(value)) + value + bytes(-len(value) % 4)
