"""Reading pcap files (pcap-savefile(5)): what stands in the header; the engine walks the records.

Both byte orders, microseconds and nanoseconds. Left out: the modified formats of old patched tcpdumps.
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

HEADER_SIZE = 24

_MAGIC: dict[bytes, tuple[Literal["<", ">"], bool]] = {
    b"\xd4\xc3\xb2\xa1": ("<", False),
    b"\xa1\xb2\xc3\xd4": (">", False),
    b"\x4d\x3c\xb2\xa1": ("<", True),
    b"\xa1\xb2\x3c\x4d": (">", True),
}


@dataclass(frozen=True, slots=True)
class PcapHeader:
    """Byte order, clock and link type (LINKTYPE_ number) of a pcap file."""

    big: bool
    nanoseconds: bool
    link: int

    @classmethod
    def parse(cls, data: memoryview) -> PcapHeader:
        """Raises DecodeError where these are not the first bytes of a pcap file."""
        known = _MAGIC.get(bytes(data[:4]))
        if known is None:
            raise DecodeError("not-a-capture", "neither pcap nor pcapng")
        if len(data) < HEADER_SIZE:
            raise DecodeError("truncated", "the file ends within its header")
        order, nanoseconds = known
        (link,) = Struct(f"{order}I").unpack_from(data, 20)
        return cls(order == ">", nanoseconds, link & 0xFFFF)


def walk(kernel: Kernel, data: memoryview) -> Iterator[Batch]:
    """Feed a whole pcap file; yields lines as they come.

    Raises DecodeError("truncated") after the last whole record where the file is cut short.
    """
    header = PcapHeader.parse(data)
    kernel.open(data)
    try:
        at = HEADER_SIZE
        while True:
            after = kernel.pcap(at, len(data), big=header.big, link=header.link, nanoseconds=header.nanoseconds)
            yield from batches(kernel)
            if after == at:
                break
            at = after
        if after < len(data):
            raise DecodeError("truncated", f"{len(data) - after} bytes at the end are not a whole record")
    finally:
        kernel.open(None)
