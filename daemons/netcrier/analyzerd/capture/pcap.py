"""Reading pcap files (pcap-savefile(5)): what stands in the header; a scout walks the records.

Both byte orders, microseconds and nanoseconds. Left out: the modified formats of old patched tcpdumps.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Literal, NamedTuple

from netcrier.errors import DecodeError

if TYPE_CHECKING:
    from netcrier.analyzerd.engine.kernel import Scout

HEADER_SIZE = 24
_RECORD_HEADER = 16
_RECORD_MOST = 262_144
"""Bytes of a record's packet; a longer one is taken for a broken file (tcpdump's limit, and the engine's)."""

_MAGIC: dict[bytes, tuple[Literal["<", ">"], bool]] = {
    b"\xd4\xc3\xb2\xa1": ("<", False),
    b"\xa1\xb2\xc3\xd4": (">", False),
    b"\x4d\x3c\xb2\xa1": ("<", True),
    b"\xa1\xb2\x3c\x4d": (">", True),
}


class PcapHeader(NamedTuple):
    """Byte order, clock and link type (LINKTYPE_ number) of a pcap file."""

    big: bool
    nanoseconds: bool
    link: int

    @classmethod
    def parse(cls, data: memoryview) -> PcapHeader:
        """Raises DecodeError where these are not the first bytes of a pcap file."""
        known = _MAGIC.get(bytes(data[:4]))
        if known is None:
            raise DecodeError("not-a-capture", "neither pcap nor pcapng" if len(data) else "an empty file")
        if len(data) < HEADER_SIZE:
            raise DecodeError("truncated", "the file ends within its header")
        order, nanoseconds = known
        (link,) = Struct(f"{order}I").unpack_from(data, 20)
        return cls(order == ">", nanoseconds, link & 0xFFFF)


class PcapWalker:
    """The `Walker` of pcap."""

    def __init__(self, scout: Scout) -> None:
        self._scout = scout
        self._header: PcapHeader | None = None

    def step(self, data: memoryview, at: int, end: int) -> int:
        """The header, then records. Raises DecodeError where it is no pcap file."""
        if self._header is None:
            try:
                self._header = PcapHeader.parse(data[at:end])
            except DecodeError as error:
                if error.reason == "truncated":
                    return at
                raise
            at += HEADER_SIZE
        head = self._header
        return self._scout.pcap(at, end, big=head.big, link=head.link, nanoseconds=head.nanoseconds)

    def broken(self, data: memoryview, at: int, end: int) -> DecodeError | None:
        """A record that claims more bytes than any packet has."""
        if self._header is None or end - at < _RECORD_HEADER:
            return None
        (size,) = Struct(">I" if self._header.big else "<I").unpack_from(data, at + 8)
        return DecodeError("bad-block", f"a record of {size} bytes") if size > _RECORD_MOST else None
