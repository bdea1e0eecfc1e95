"""A worker: a thread with a ring, a kernel and a table of its own.

It waits for a block, lets the engine run over it without the GIL, gives it back and hands on the lines. Others
may look at the kernel only under `lock`, which the worker holds while a block runs.

Under overload (more than half of the ring waits) the counters of every conversation stay right; given up is, in this
order: the copy of the packets for `capture`, then whole packets, which the kernel drops and counts.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netcrier.analyzerd.engine import batches

if TYPE_CHECKING:
    from collections.abc import Callable

    from netcrier.analyzerd.capture.recent import Recent
    from netcrier.analyzerd.capture.ring import Ring
    from netcrier.analyzerd.engine import Batch
    from netcrier.analyzerd.engine.kernel import Kernel

WAIT_MS = 100
IDLE_LAG_NS = 1_000_000_000
"""How far the clock of an idle wire stays behind: a block that is not full yet may hold older packets."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What a worker has seen since its start."""

    engine: dict[str, int]
    """The kernel's counters."""
    seen: int
    """Packets that the kernel of the machine had for the ring, dropped ones included."""
    dropped: int
    """Of these, what found no room."""
    blocks: int
    """Filled blocks that wait."""
    blocks_most: int
    """Blocks of the ring."""
    lag: float
    """Seconds that the engine is behind the wire; 0 where nothing waits."""


class Worker:
    """Captures from one ring until it is stopped, then writes what it holds."""

    def __init__(self, ring: Ring, kernel: Kernel, sink: Callable[[str, bytes], None], recent: Recent) -> None:
        self.ring = ring
        self.kernel = kernel
        self.lock = threading.Lock()
        self.failure: BaseException | None = None
        """Why it ended before it was told to."""
        self._sink, self._recent = sink, recent
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"capture-{ring.interface}", daemon=True)

    def start(self) -> None:
        """Begin to capture."""
        self._thread.start()

    def stop(self) -> None:
        """Take what has come, write every conversation, end. Blocks."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def close(self) -> None:
        """Give the ring back, after `stop`."""
        self.ring.close()

    def counts(self) -> Counts:
        """As of now; called by one thread."""
        with self.lock:
            counters = self.kernel.counters
            blocks = self.ring.waiting()
            seen, dropped = self.ring.statistics()
        lag = max(0.0, time.time() - counters["now"] / 1e9) if blocks > 1 else 0.0
        return Counts(counters, seen, dropped, blocks, self.ring.options.blocks, lag)

    def received(self) -> int:
        """Packets that the engine has had."""
        with self.lock:
            return self.kernel.counters["received"]

    def rebind(self) -> None:
        """Follow the interface of the same name, which has come back. Raises ConfigError."""
        with self.lock:
            self.ring.bind(self.ring.interface)

    def _run(self) -> None:
        try:
            self.kernel.open(self.ring.memory)
            while not self._stopping.is_set():
                if not self._take():
                    self.ring.wait(WAIT_MS)
                    self._idle()
            self.ring.wait(self.ring.options.timeout_ms + WAIT_MS)
            while self._take():
                pass
        except BaseException as error:  # noqa: BLE001 - the thread's edge: kept for status, and what is held is written
            self.failure = error
        with self.lock:
            self.kernel.open(None)
            self.kernel.flush()
            written = list(batches(self.kernel))
        self._hand_on(written)

    def _take(self) -> bool:
        """One block; whether there was one."""
        ring = self.ring
        at = ring.ready()
        if at is None:
            return False
        with self.lock:
            self.kernel.block(at, at + ring.block_size, link=ring.link, loopback=ring.loopback)
            written = list(batches(self.kernel))
        if self._recent.wanted:
            if ring.half_full():
                self._recent.skipped += 1
            else:
                copy = bytes(ring.memory[at : at + ring.used(at)])
                self._recent.add(copy, ring.interface, ring.link, ring.loopback)
        ring.give_back()
        self._hand_on(written)
        return True

    def _idle(self) -> None:
        """On an idle wire time passes all the same."""
        if self.ring.ready() is not None:
            return
        with self.lock:
            self.kernel.clock(time.time_ns() - IDLE_LAG_NS)
            written = list(batches(self.kernel))
        self._hand_on(written)

    def _hand_on(self, written: list[Batch]) -> None:
        for log, lines in written:
            self._sink(log, lines)
