"""From the bytes of a capture to lines of logs, whatever way the bytes come.

A walker knows one file format and no more of the bytes than it is shown: it takes the whole records in front of it and
says where it stopped. What follows asks for more bytes, or says that the capture is broken. A scout decodes the
packets of a portion of the capture, a kernel follows them; both may be at work at one time, on different portions.
"""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Protocol

from netcrier.analyzerd.capture.pcap import PcapWalker
from netcrier.analyzerd.capture.pcapng import SECTION, PcapngWalker
from netcrier.analyzerd.engine import batches, new_portion, new_scout
from netcrier.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from netcrier.analyzerd.engine import Batch
    from netcrier.analyzerd.engine.kernel import Kernel, Portion, Scout

    Fill = Callable[[memoryview], int]
    """Puts the next bytes of a capture into the room; how many, at its end 0. Raises what `Source.fill` does."""

PORTION = 1 << 20
"""Bytes of a portion, as long as a record has room in them: little enough for a processor's caches."""

PORTIONS = 6
"""One that is filled, one that is followed, and those between."""

MAGIC_SIZE = 4


class Walker(Protocol):
    """Of one capture. The scout has been opened on a portion whose bytes are `data`."""

    def step(self, data: memoryview, at: int, end: int) -> int:
        """Take whole records of data[at:end]; where it stopped. Raises DecodeError at a broken one."""

    def broken(self, data: memoryview, at: int, end: int) -> DecodeError | None:
        """Why the bytes where it stopped are wrong; None where more bytes may make a whole record of them."""


def walker(scout: Scout, magic: bytes) -> Walker:
    """For a capture that begins with these four bytes."""
    return PcapngWalker(scout) if magic == SECTION else PcapWalker(scout)


def portions(
    kernel: Kernel, fill: Fill, compile_: Callable[[int], bytes] | None = None
) -> Generator[Portion, None, None]:
    """A whole capture as a scout sees it, or what the packet filter takes of it that `compile_` makes for a link type.

    Each is valid until PORTIONS - 1 more were made; a portion grows to at most twice the largest record.
    Raises DecodeError after the last whole record of one that is cut short or broken.
    """
    scout = new_scout(kernel, compile_)
    follow: Walker | None = None
    rest, ended, failure = memoryview(b""), False, None
    for portion in cycle([new_portion(PORTION) for _ in range(PORTIONS)]):
        portion.begin(rest)
        if not ended:
            size = fill(portion.room)
            portion.add(size)
            ended = not size
        data, at = portion.data, 0
        if follow or len(data) >= MAGIC_SIZE or ended:
            follow = follow or walker(scout, bytes(data[:MAGIC_SIZE]))
            scout.open(portion)
            try:
                at = follow.step(data, 0, len(data))
                failure = None if portion.full else follow.broken(data, at, len(data))
            except DecodeError as error:
                failure = error
        yield portion
        if failure:
            raise failure
        rest = data[at:]
        if ended and not portion.full:
            break
    if rest:
        raise DecodeError("truncated", f"{len(rest)} bytes at the end are not a whole record")


def walk(kernel: Kernel, found: Iterable[Portion]) -> Iterator[list[Batch]]:
    """Follow portions. Yields lines as they come, and an empty list for a portion without any. Raises what making
    the portions does."""
    try:
        for portion in found:
            more = True
            while more:
                more = kernel.follow(portion)
                yield list(batches(kernel))
    finally:
        kernel.open(None)
