"""Captures as log lines: one after the other in the order of their first packets, through one kernel.

Left out: captures that overlap in time are not merged packet by packet; mergecap does that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netcrier.analyzerd.capture.ahead import Ahead
from netcrier.analyzerd.capture.source import head
from netcrier.analyzerd.capture.walking import PORTIONS, portions, walk
from netcrier.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from netcrier.analyzerd.capture.source import Source
    from netcrier.analyzerd.engine import Batch
    from netcrier.analyzerd.engine.kernel import Kernel, Portion


def read(kernel: Kernel, source: Source) -> Iterator[list[Batch]]:
    """The lines of a whole capture as they come, now and then none; open conversations stay in the kernel.

    Raises OSError, ConfigError, and DecodeError: the lines of what is whole have then been yielded.
    """
    with ahead(kernel, source) as found:
        yield from walk(kernel, found)


def ahead(kernel: Kernel, source: Source, compile_: Callable[[int], bytes] | None = None) -> Ahead[Portion]:
    """The portions of a capture, decoded in a thread of their own while others are followed; of packets that a filter
    does not take nothing is known. Raises as `read` does."""
    return Ahead(portions(kernel, source.fill, compile_), PORTIONS - 2)


def captures(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """The captures that are named or lie in the folders named, by the time of their first packets; and what in the
    folders is no capture. What is named is kept whatever it is. Raises OSError, ConfigError."""
    named: list[Path] = []
    others: list[Path] = []
    for path in paths:
        if not path.is_dir():
            named.append(path)
            continue
        for file in sorted(path.iterdir()):
            if file.is_file():
                (named if _is_capture(file) else others).append(file)
    if len(named) > 1:
        named.sort(key=_first_time)
    return named, others


def _is_capture(path: Path) -> bool:
    from netcrier.analyzerd.capture.frames import frames  # here, for a capture that is named alone starts without it

    try:
        next(frames(memoryview(head(path))), None)
    except DecodeError as error:
        return error.reason != "not-a-capture"
    return True


def _first_time(path: Path) -> int:
    """In nanoseconds; what has no packet, or cannot be looked into, comes first: the walk will say why."""
    from netcrier.analyzerd.capture.frames import frames

    if not path.is_file():
        return 0
    try:
        return next((frame.time for frame in frames(memoryview(head(path))) if frame.time), 0)
    except (DecodeError, OSError):
        return 0
