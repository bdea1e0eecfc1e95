"""`analyzerd --inspect FILE`: some packets of a capture file, layer by layer, as JSON lines for `netctl inspect`.

No event loop, no socket, no engine. It ends with 0 whatever the file holds: the last line says what was wrong.
"""

from __future__ import annotations

import argparse
import mmap
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from netcrier.analyzerd.capture.frames import Frame, frames
from netcrier.analyzerd.dissection import Dissector
from netcrier.control.types.inspection import Ending, Packet, Problem
from netcrier.errors import ConfigError, DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterator

EXIT_DONE = 0
EXIT_INTERRUPTED = 130


def parser() -> argparse.ArgumentParser:
    """The flags of `--inspect`."""
    flags = argparse.ArgumentParser(prog="analyzerd", description="Show packets of a capture file as JSON and exit.")
    flags.add_argument("--inspect", metavar="FILE", type=Path, required=True, help="pcap or pcapng file")
    flags.add_argument("--packet", metavar="N", type=int, default=1, help="the first to show, from 1 (1)")
    flags.add_argument("--count", metavar="N", type=int, default=1, help="how many (1)")
    return flags


def main(argv: list[str]) -> int:
    """0; 130 after Ctrl-C."""
    flags = parser().parse_args(argv)
    try:
        with Dissector() as dissector:
            for line in inspect(flags.inspect, max(1, flags.packet), max(0, flags.count), dissector):
                sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
                sys.stdout.buffer.flush()
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        sys.stdout = None  # who asked has left; there is nothing to flush
    return EXIT_DONE


def inspect(path: Path, first: int, count: int, dissector: Dissector) -> Iterator[Packet | Ending]:
    """`count` packets from `first` on (from 1), and the ending."""
    seen = 0
    try:
        with path.open("rb") as file:
            data = _mapped(file.fileno())
        for seen, frame in enumerate(islice(frames(data), first - 1 + count), 1):
            if seen >= first:
                yield _packet(seen, frame, dissector)
    except DecodeError as error:
        kind = Problem.NOT_A_CAPTURE if error.reason == "not-a-capture" else Problem.BROKEN
        yield Ending(packets=seen, problem=kind, detail=str(error).removeprefix(f"{error.reason}: "))
    except ConfigError as error:
        yield Ending(packets=seen, problem=Problem.DISSECTOR, detail=str(error))
    except OSError as error:
        yield Ending(packets=seen, problem=Problem.UNREADABLE, detail=error.strerror or str(error))
    else:
        yield Ending(packets=seen)


def _packet(number: int, frame: Frame, dissector: Dissector) -> Packet:
    data = bytes(frame.data)
    found = dissector.dissect(frame.link, data)
    return Packet(
        number=number,
        time=frame.time / 1e9,
        length=frame.wire,
        captured=len(data),
        summary=found.summary,
        layers=found.layers,
        cut=found.cut,
        failure=found.failure,
    )


def _mapped(descriptor: int) -> memoryview:
    """The whole file; unmapped when the last frame of it is gone."""
    try:
        return memoryview(mmap.mmap(descriptor, 0, prot=mmap.PROT_READ))
    except ValueError:
        raise DecodeError("not-a-capture", "an empty file") from None
