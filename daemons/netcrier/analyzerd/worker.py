"""A worker: a thread with a ring, a kernel and a table of its own.

It waits for a block, lets the engine run over it without the GIL, gives it back and hands on the lines. Others
may look at the kernel only under `lock`, which the worker holds while a block runs.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from netcrier.analyzerd.engine import batches

if TYPE_CHECKING:
    from collections.abc import Callable

    from netcrier.analyzerd.capture.ring import Ring
    from netcrier.analyzerd.engine import Batch
    from netcrier.analyzerd.engine.kernel import Kernel

WAIT_MS = 100
IDLE_LAG_NS = 1_000_000_000
"""How far the clock of an idle wire stays behind: a block that is not full yet may hold older packets."""


class Worker:
    """Captures one interface until it is stopped, then writes what it holds."""

    def __init__(self, ring: Ring, kernel: Kernel, sink: Callable[[str, bytes], None]) -> None:
        self.ring = ring
        self.kernel = kernel
        self.lock = threading.Lock()
        self.failure: BaseException | None = None
        """Why it ended before it was told to."""
        self._sink = sink
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"capture-{ring.interface}", daemon=True)

    def start(self) -> None:
        """Begin to capture."""
        self._thread.start()

    def stop(self) -> None:
        """Take what has come, write every conversation, end. Blocks."""
        self._stopping.set()
        self._thread.join()
        self.ring.close()

    def _run(self) -> None:
        try:
            self.kernel.open(self.ring.memory)
            while not self._stopping.is_set():
                if not self._take():
                    self.ring.wait(WAIT_MS)
                    self._idle()
            self.ring.wait(WAIT_MS)
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
        at = self.ring.ready()
        if at is None:
            return False
        with self.lock:
            self.kernel.block(at, at + self.ring.block_size, link=self.ring.link, loopback=self.ring.loopback)
            written = list(batches(self.kernel))
        self.ring.give_back()
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
