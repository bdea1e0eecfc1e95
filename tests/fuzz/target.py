"""What one input does: its first byte says to whom it goes, and every input leaves a balance that holds.

Run as a program: FOLDER, with an engine `kernel` in it where that is to be watched, then libFuzzer's flags.
"""

from __future__ import annotations

import array
import ctypes
import importlib
import json
import os
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import atheris
from netcrier.errors import ConfigError, DecodeError

from .instrumented import Source, file, frames, walking
from .mutation import mutate, split
from .seeds import LINKS, PACKED, PACKETS, READER, RING, STREAMS, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from netcrier.analyzerd.engine.kernel import Kernel

SHARED = 500
"""Inputs for the same kernels."""
ENGINE = "netcrier.analyzerd.engine.kernel"
LOGS = ("conn", "tunnel", "weird")


def put(data: bytes, room: memoryview) -> int:
    """Into the room; how many bytes."""
    room[: len(data)] = data
    return len(data)


class Target:
    """Two kernels, with streams and without, each for some inputs: to make one costs more than an input does."""

    def __init__(self, make: type[Kernel], first: Callable[[], None] = lambda: None) -> None:
        self._make, self._first = make, first
        self._inputs = 0
        self._kernels = self._new()
        self._kernel = self._kernels[0]

    def __call__(self, data: bytes) -> None:
        """One input."""
        if self._inputs == 0:
            self._first()
        self._inputs += 1
        if len(data) < 2:
            return
        if self._inputs % SHARED == 0:
            self._kernels = self._new()
        self._kernel = self._kernels[bool(data[0] & STREAMS)]
        takers = {PACKETS: self._packets, READER: self._reader, RING: self._ring, PACKED: self._packed}
        takers[data[0] % len(takers)](data[1], data)
        self._balance()

    def _new(self) -> list[Kernel]:
        return [self._make(seed=bytes(24), most=64, streams=streams, interim=1) for streams in (0, 1 << 16)]

    def _packets(self, link: int, data: bytes) -> None:
        """Frames of one link, each behind its size and the time since the one before, in memory of just its size."""
        kernel, time = self._kernel, 0
        for step, frame in split(data):
            exact = array.array("B", frame)
            time += step * step * 10_000_000
            kernel.packet(exact, time, link=LINKS[link % len(LINKS)], wire=len(exact) + (step & 1) * 400)
        posted = kernel.deliveries()
        if len(posted) >= 40:
            slot, serial = struct.unpack_from("=II", posted, 8)
            kernel.answer(slot, serial, link & 1, skip=link, done=link > 200)

    def _reader(self, piece: int, data: bytes) -> None:
        """A capture in memory of just its size, then in pieces of this size, then as `netctl inspect` reads it."""
        from netcrier.analyzerd.engine.kernel import Portion, Scout

        kernel, data = self._kernel, data[2:]
        exact = array.array("B", data)
        portion, scout = Portion(exact), Scout(kernel)
        portion.add(len(exact))
        scout.open(portion)
        follow = walking.walker(scout, data[:4])
        with suppress(DecodeError):
            follow.broken(portion.data, follow.step(portion.data, 0, len(exact)), len(exact))
        while kernel.follow(portion):
            kernel.take()
        kernel.open(None)
        pieces = (data[at : at + piece + 1] for at in range(0, len(data), piece + 1))
        with suppress(DecodeError):
            for _ in walking.walk(kernel, walking.portions(kernel, lambda room: put(next(pieces, b""), room))):
                pass
        with suppress(DecodeError):
            for _ in frames(memoryview(exact)):
                pass

    def _packed(self, _: int, data: bytes) -> None:
        """A capture as a file, which may be compressed."""
        descriptor = os.memfd_create("capture")
        try:
            os.write(descriptor, data[2:])
            source = Source(Path(f"/proc/self/fd/{descriptor}"))
            with suppress(DecodeError, ConfigError):
                for _batch in file.read(self._kernel, source):
                    pass
            source.close()
        finally:
            os.close(descriptor)

    def _ring(self, packets: int, data: bytes) -> None:
        """A block of the ring; the kernel of the system writes its header."""
        block = array.array("B", bytes(12) + struct.pack("<II", packets, 48) + bytes(28) + data[2:])
        self._kernel.open(block)
        self._kernel.block(0, len(block), link=1, loopback=bool(packets & 1))
        self._kernel.open(None)

    def _balance(self) -> None:
        kernel = self._kernel
        kernel.flush()
        for log in LOGS:
            for line in kernel.take(log).splitlines():
                json.loads(line)
        kernel.deliveries()
        seen = kernel.counters
        assert seen["received"] == seen["analysed"] + seen["not_ip"] + seen["over_budget"] + seen["undecodable"]
        assert seen["conversations"] == 0


def watch(engine: ModuleType) -> None:
    """Hand the engine's counters to libFuzzer, which atheris has loaded by the time that the first input comes."""
    fuzzer = importlib.import_module("atheris.core_with_libfuzzer")
    if not ctypes.CDLL(engine.__file__).begin_coverage(str(fuzzer.__file__).encode()):
        raise RuntimeError("no libFuzzer takes the engine's counters")


def main() -> None:
    """Fuzz until libFuzzer's flags say stop; it ends the process."""
    folder = Path(sys.argv.pop(1))
    write(folder / "corpus")
    if list(folder.glob("kernel.*")):
        sys.path.insert(0, str(folder))
        engine = sys.modules[ENGINE] = importlib.import_module("kernel")
        target = Target(engine.Kernel, lambda: watch(engine))
    else:
        target = Target(importlib.import_module(ENGINE).Kernel)
    atheris.Setup(sys.argv, target, custom_mutator=lambda data, most, seed: mutate(data, most, seed, atheris.Mutate))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
