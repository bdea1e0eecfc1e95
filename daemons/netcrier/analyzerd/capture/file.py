"""A capture file as log lines: mapped, told apart by its first bytes, walked by the engine."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

from netcrier.analyzerd.capture import pcap, pcapng
from netcrier.analyzerd.engine import batches
from netcrier.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from netcrier.analyzerd.engine import Batch
    from netcrier.analyzerd.engine.kernel import Kernel


def walk(kernel: Kernel, data: memoryview) -> Iterator[Batch]:
    """Feed the bytes of a capture file. Raises DecodeError as `pcap.walk` and `pcapng.walk`."""
    reader = pcapng if bytes(data[:4]) == pcapng.SECTION else pcap
    yield from reader.walk(kernel, data)


def read(kernel: Kernel, path: Path) -> Iterator[Batch]:
    """The lines of a whole file, those of what it still held at the end included.

    Raises OSError, and DecodeError: after "truncated" the lines of what is whole have been yielded.
    """
    failure: DecodeError | None = None
    with path.open("rb") as file:
        if file.seek(0, 2) == 0:
            raise DecodeError("not-a-capture", "an empty file")
        with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
            if hasattr(mmap, "MADV_SEQUENTIAL"):
                mapped.madvise(mmap.MADV_SEQUENTIAL)
            with memoryview(mapped) as data:
                try:
                    yield from walk(kernel, data)
                except DecodeError as error:
                    if error.reason == "not-a-capture":
                        raise
                    failure = error
    kernel.flush()
    yield from batches(kernel)
    if failure is not None:
        raise failure
