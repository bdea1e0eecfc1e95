"""The logs' one writer: a thread that takes batches of whole lines from every worker and appends them, log by log.

Whoever has lines hands them over and goes on; a batch is written when much waits, and after a second at the latest.
What a disk does not take waits and is tried again. The queue is bounded: beyond it a line is lost and counted. Or,
where the source can wait (a file), whoever has lines waits.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Protocol

from netcrier.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FLUSH_EVERY = 1.0
"""Seconds that a line waits at most, where the disk takes it."""

BATCH = 1 << 20
"""Bytes that are worth a write before the second is over."""

QUEUE_MOST = 64 << 20
"""Bytes of lines that may wait: two minutes of 2,000 conversations a second. Beyond it lines are lost and counted."""

WRITE_MOST = 256 << 10
"""Bytes of one write, but for lines that come as one: enough to be worth the call, and little enough that a file that
is due for rotation does not grow far beyond its size, and that what an engine hands over is not copied again."""

STOP_LIMIT = 5.0
"""Seconds that the last lines have to reach the disk, of a writer that is not patient."""


class Log(Protocol):
    """Where the lines of one log go."""

    def append_lines(self, lines: bytes) -> int:
        """Append whole lines; how many bytes it took, whole lines again."""

    def tick(self) -> None:
        """Called before each batch and once a second: the time for a rotation."""

    def reopen(self) -> None:
        """Continue in the file that the path now names. Raises StoreError."""

    def close(self) -> None:
        """Nothing comes any more."""


class QueueState(NamedTuple):
    """How the writer is."""

    waiting: int
    """Bytes that wait to be written."""
    most: int
    """Beyond so many, lines are lost."""
    lost: int
    """Lines lost since the start."""
    written: int
    """Lines written since the start, by a writer that counts them."""
    full: bool
    """Whether the disk refused the last batch."""
    lag: float
    """Seconds that the oldest waiting line has waited."""


class LogWriter:
    """Writes any number of logs from one thread."""

    def __init__(
        self,
        logs: Mapping[str, Log],
        *,
        patient: bool = False,
        lost: Callable[[str, bytes], None] | None = None,
        most: int = QUEUE_MOST,
        counting: bool = True,
    ) -> None:
        """`patient`: `put` waits for room, `close` for the disk. `lost` is told of lines that are given up. Without
        `counting` the state's `written` stays 0: to count lines is to look at every byte again."""
        self._logs, self._patient, self._tell, self._most = logs, patient, lost, most
        self._queues: dict[str, deque[tuple[float, bytes]]] = {name: deque() for name in logs}
        """Lines, and since when they wait."""
        self._counting = counting
        self._changed = threading.Condition()
        self._waiting = self._lost = self._written = 0
        self._full = self._stopping = self._reopening = False
        self._thread = threading.Thread(target=self._run, name="logs", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def put(self, log: str, lines: bytes) -> None:
        """Lines for a log: whole ones, or none. Never raises; a full queue loses them or waits, as was chosen."""
        if not lines:
            return
        with self._changed:
            if self._patient:
                self._changed.wait_for(lambda: self._fits(lines) or self._full)
            fits = self._fits(lines)
            if fits:
                self._queues[log].append((time.monotonic(), lines))
                self._waiting += len(lines)
                if self._waiting >= BATCH > self._waiting - len(lines):
                    self._changed.notify_all()
        if not fits:
            self._give_up(log, lines)

    def state(self) -> QueueState:
        """How it is now."""
        with self._changed:
            since = [queue[0][0] for queue in self._queues.values() if queue]
            lag = time.monotonic() - min(since) if since else 0.0
            return QueueState(self._waiting, self._most, self._lost, self._written, self._full, lag)

    def reopen(self) -> None:
        """Continue in the files that the paths now name, when what waits is in the old ones; in a moment."""
        with self._changed:
            self._reopening = True
            self._changed.notify_all()

    def close(self) -> None:
        """Write what waits, as far as the disk takes it, and end. What it does not take is lost and counted; a disk
        that is slow is waited for by a patient writer alone."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(None if self._patient else STOP_LIMIT)
        if self._thread.is_alive():
            return  # the disk hangs; the process ends without it
        for name, queue in self._queues.items():
            for _, lines in queue:
                self._give_up(name, lines)
        for log in self._logs.values():
            log.close()

    def _fits(self, lines: bytes) -> bool:
        """A batch that is larger than the whole queue still goes into an empty one."""
        return not self._waiting or self._waiting + len(lines) <= self._most

    def _give_up(self, log: str, lines: bytes) -> None:
        with self._changed:
            self._lost += lines.count(b"\n")
        if self._tell:
            self._tell(log, lines)

    def _run(self) -> None:
        stopping = False
        while not stopping:
            with self._changed:
                self._changed.wait_for(self._called, FLUSH_EVERY)
                stopping, reopening, self._reopening = self._stopping, self._reopening, False
            full = False
            for name in self._logs:
                full |= not self._write(name)
            with self._changed:
                self._full = full
                self._changed.notify_all()
            if reopening:
                self._reopen()
            if full and not stopping:
                self._pause()

    def _called(self) -> bool:
        return self._stopping or self._reopening or self._waiting >= BATCH

    def _pause(self) -> None:
        """The disk is full: a moment, so that a long queue does not make this spin."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping, FLUSH_EVERY)

    def _write(self, name: str) -> bool:
        """Everything that waits for one log; whether the disk took it."""
        log, queue = self._logs[name], self._queues[name]
        while True:
            log.tick()
            with self._changed:
                batch = _head(queue)
            if not batch:
                return True
            lines = batch[0] if len(batch) == 1 else b"".join(batch)
            taken = log.append_lines(lines)
            written = lines.count(b"\n", 0, taken) if self._counting else 0
            with self._changed:
                since = queue[0][0]
                for _ in batch:
                    queue.popleft()
                if taken < len(lines):
                    queue.appendleft((since, lines[taken:]))
                self._waiting -= taken
                self._written += written
                self._changed.notify_all()
            if taken < len(lines):
                return False

    def _reopen(self) -> None:
        for log in self._logs.values():
            with suppress(StoreError):  # it goes on in the old file
                log.reopen()


def _head(queue: deque[tuple[float, bytes]]) -> list[bytes]:
    """The first batches of a queue, as many as one write takes."""
    batch, size = [], 0
    for _, lines in queue:
        batch.append(lines)
        size += len(lines)
        if size >= WRITE_MOST:
            break
    return batch
