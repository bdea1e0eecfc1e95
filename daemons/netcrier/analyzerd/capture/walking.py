"""From the bytes of a capture to lines of logs, whatever way the bytes come: a mapped file at once, a stream by and by.

A walker knows one file format and no more of the bytes than it is shown: it takes the whole records in front of it and
says where it stopped. What follows asks for more bytes, or says that the capture is broken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from netcrier.analyzerd.capture.pcap import PcapWalker
from netcrier.analyzerd.capture.pcapng import SECTION, PcapngWalker
from netcrier.analyzerd.engine import batches
from netcrier.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from netcrier.analyzerd.engine import Batch
    from netcrier.analyzerd.engine.kernel import Kernel

WINDOW = 64 << 20
"""Bytes of a mapped file that are walked between two signs of progress."""

MAGIC_SIZE = 4


class Walker(Protocol):
    """Of one capture. The kernel has been opened on `data`."""

    def step(self, data: memoryview, at: int, end: int) -> int:
        """Take whole records of data[at:end]; where it stopped. Raises DecodeError at a broken one."""

    def broken(self, data: memoryview, at: int, end: int) -> DecodeError | None:
        """Why the bytes where it stopped are wrong; None where more bytes may make a whole record of them."""


def walker(kernel: Kernel, magic: bytes) -> Walker:
    """For a capture that begins with these four bytes."""
    return PcapngWalker(kernel) if magic == SECTION else PcapWalker(kernel)


def walk(kernel: Kernel, data: memoryview) -> Iterator[list[Batch]]:
    """A whole capture. Yields lines as they come, and an empty list at least once a WINDOW.

    Raises DecodeError after the last whole record of one that is cut short or broken.
    """
    follow = walker(kernel, bytes(data[:MAGIC_SIZE]))
    kernel.open(data)
    try:
        at, end = 0, min(len(data), WINDOW)
        while True:
            after = follow.step(data, at, end)
            written = list(batches(kernel))
            yield written
            if after == at and not written:
                if end == len(data):
                    break
                _refuse(follow, data, at, end)
                end += WINDOW  # a record that is longer than the window
            at, end = after, min(len(data), max(end, after + WINDOW))
        _refuse(follow, data, at, end)
        _whole(len(data) - at)
    finally:
        kernel.open(None)


def walk_stream(kernel: Kernel, chunks: Iterable[bytes]) -> Iterator[list[Batch]]:
    """As `walk`, of a capture that comes in pieces of any size; what is held is bounded by the largest record."""
    follow: Walker | None = None
    rest = b""
    for chunk in chunks:
        rest = rest + chunk if rest else chunk
        if follow is None:
            if len(rest) < MAGIC_SIZE:
                continue
            follow = walker(kernel, rest[:MAGIC_SIZE])
        at = yield from _walk_piece(kernel, follow, rest)
        rest = rest[at:]
    if follow is None:
        yield from walk(kernel, memoryview(rest))
    _whole(len(rest))


def _walk_piece(kernel: Kernel, follow: Walker, piece: bytes) -> Generator[list[Batch], None, int]:
    """Returns where it stopped."""
    data, at = memoryview(piece), 0
    kernel.open(data)
    try:
        while True:
            after = follow.step(data, at, len(data))
            written = list(batches(kernel))
            yield written
            if after == at and not written:
                break
            at = after
        _refuse(follow, data, at, len(data))
    finally:
        kernel.open(None)
    return at


def _refuse(follow: Walker, data: memoryview, at: int, end: int) -> None:
    if error := follow.broken(data, at, end):
        raise error


def _whole(rest: int) -> None:
    if rest:
        raise DecodeError("truncated", f"{rest} bytes at the end are not a whole record")
