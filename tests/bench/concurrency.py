"""What a packet costs, and how much memory there is, with so many conversations open: run as a process of its own.

`concurrency.py N ROUNDS` prints one line: nanoseconds of the processor for a packet, reading included, in the better of
two walks of so many rounds, anonymous resident memory in MB, conversations held. Packets are taken in a random order,
so that neither the table nor the slab is walked in the order of memory.
"""

from __future__ import annotations

import random
import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from netcrier.analyzerd import engine
from netcrier.analyzerd.capture import source, walking

BATCH = 20_000
HEADER = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
"""Of a pcap file."""


def frame(number: int, back: bool) -> bytes:
    """A UDP datagram of one of 4 billion conversations."""
    ends = struct.pack("!II", 0x0A000000 | number >> 8, 0xC0A80000 | number & 0xFF)
    ports = struct.pack("!HH", 1024 + (number & 0xFFF), 9999)
    if back:
        ends, ports = ends[4:] + ends[:4], ports[2:] + ports[:2]
    head = struct.pack("!BBHHHBBH", 0x45, 0, 60, 1, 0, 64, 17, 0) + ends
    return b"\2\0\0\0\0\2\2\0\0\0\0\1\x08\0" + head + ports + struct.pack("!HH", 40, 0) + bytes(32)


def again(path: Path, rounds: int) -> Iterator[bytes]:
    """A capture of so many rounds, each of what the file has."""
    yield HEADER
    for _ in range(rounds):
        with path.open("rb") as file:
            while data := file.read(source.PIPE):
                yield data


def write_round(path: Path, count: int, back: bool) -> None:
    """One packet of every conversation, in a random order, all at one time."""
    numbers = list(range(count))
    random.Random(count + back).shuffle(numbers)
    head = struct.pack("<IIII", 1_700_000_000, 0, 74, 74)
    with path.open("wb") as file:
        for first in range(0, count, BATCH):
            file.write(b"".join(head + frame(number, back) for number in numbers[first : first + BATCH]))


def resident_mb() -> float:
    """Memory of this process that is not a mapped file."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    raise OSError("no RssAnon in /proc/self/status")


def measure(count: int, rounds: int) -> None:
    """Open `count` conversations, then walk `rounds` more rounds of packets through them, twice."""
    kernel = engine.new_kernel(most=count, checksums=engine.Checksums.IGNORE)
    with tempfile.TemporaryDirectory(prefix="netcrier-bench-") as folder:
        costs = []
        for number, back in enumerate((False, True)):
            path = Path(folder) / "round"
            write_round(path, count, back)
            for turns in (1, rounds, rounds) if number else (1,):
                started = time.process_time_ns()
                for _ in walking.walk(kernel, walking.portions(kernel, source.filling(again(path, turns)))):
                    pass
                costs.append((time.process_time_ns() - started) / turns / count)
    held = kernel.counters["conversations"]
    print(f"{min(costs[2:]):.1f} {resident_mb():.0f} {held}")


if __name__ == "__main__":
    measure(int(sys.argv[1]), int(sys.argv[2]))
