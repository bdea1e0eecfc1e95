"""Batches on their way into the journal, and from it into the log; what each step means to the listener.

Rules: one commit runs at a time, at once where the disk is quick; the log follows the journal, and where its disk is
full it is tried again every few seconds. Who waits for messages is woken after each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from netcrier.core.node.batch import Batch
from netcrier.core.node.listener import Listener
from netcrier.core.outcomes import Untold
from netcrier.errors import StoreError
from netcrier.noded.journal.entry import Entry
from netcrier.noded.journal.journal import Journal
from netcrier.noded.message_log import MessageLog
from netcrier.noded.programs.handling import Handling
from netcrier.runtime.faults import point
from netcrier.runtime.lean import give_back
from netcrier.runtime.store import Writer
from netcrier.runtime.udp import clock_us

_LOG_RETRY: Final = 5.0


class Recording:
    """See the module. `flush()` sends what the listener has to say, `settled(error)` is told of each commit."""

    def __init__(
        self,
        listener: Listener,
        journal: Journal,
        log: MessageLog,
        writer: Writer,
        handling: Handling,
        flush: Callable[[], None],
        settled: Callable[[StoreError | None], None],
    ) -> None:
        self._listener, self._journal, self._log, self._writer = listener, journal, log, writer
        self._handling, self._flush, self._settled = handling, flush, settled
        self._commit: asyncio.Task[None] | None = None
        self.last: Entry | None = next(iter(journal.last(1)), None)
        """The newest message in the log."""
        self._arrived: asyncio.Event | None = None

    @property
    def log_full(self) -> bool:
        """Whether the log's disk refuses lines."""
        return self._log.full

    @property
    def arrived(self) -> asyncio.Event:
        """Is set at the next message, and replaced."""
        self._arrived = self._arrived or asyncio.Event()
        return self._arrived

    def settle(self) -> None:
        """Commit what the listener has."""
        while (batch := self._listener.take_batch()) is not None:
            handled = self._handling.expects(self._listener.pin)
            if not self._writer.quick:
                self._commit = asyncio.get_running_loop().create_task(self._committing(batch, handled))
                return
            try:
                stored = self._writer.at_once(self._store, batch, handled)
            except StoreError as error:
                self._refused(batch, error)
            else:
                self._done(batch, *stored)

    async def committed(self) -> None:
        """Until no commit runs."""
        while self._commit and not self._commit.done():
            await asyncio.wait([self._commit])

    async def keep_log(self) -> None:
        """Bring the log up to the journal once its disk has room again; for ever."""
        while True:
            await asyncio.sleep(_LOG_RETRY)
            if self._journal.logged < self._journal.newest:
                self._logged(await self._writer.run(self._log.catch_up))
                self._flush()

    async def _committing(self, batch: Batch, handled: bool) -> None:
        try:
            stored = await self._writer.run(self._store, batch, handled)
        except StoreError as error:
            self._refused(batch, error)
        else:
            self._done(batch, *stored)
        self._flush()

    def _store(self, batch: Batch, handled: bool) -> tuple[list[Untold], list[Entry]]:
        """In the journal's thread: what no handler will run for, and what is in the log now."""
        pin = self._listener.pin
        assert pin
        point("node: before journal commit")
        busy = self._journal.commit(batch, self._listener.master, pin.trust, handled)
        point("node: after journal commit")
        written = self._log.catch_up()
        point("node: after log write")
        return busy, written

    def _done(self, batch: Batch, busy: list[Untold], written: list[Entry]) -> None:
        self._settled(None)
        now = asyncio.get_running_loop().time()
        self._listener.committed(batch, now, clock_us())
        if busy:
            self._listener.tell(busy, now)
        self._logged(written)
        if any(arrival.message.blocks for arrival in batch.arrivals):
            give_back()

    def _refused(self, batch: Batch, error: StoreError) -> None:
        self._settled(error)
        self._listener.failed(batch, asyncio.get_running_loop().time())

    def _logged(self, written: list[Entry]) -> None:
        if self._log.fault:
            self._settled(StoreError(self._log.fault))
        now = asyncio.get_running_loop().time()
        for entry in written:
            self.last = entry
            self._listener.delivered(replace(entry.id, sequence=entry.last), now, entry.master)
        if self._journal.logged == self._journal.newest:
            self._listener.all_delivered(now)
        if self._arrived:
            self._arrived.set()
            self._arrived = None
        self._handling.messages.wake()
