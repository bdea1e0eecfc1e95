"""Messages on their way out: numbered, committed, published, logged; and the old ones dropped.

Rules: nothing is sent before it is on disk; a commit that fails gives its number back; a request is carried out once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from netcrier.control.types.broadcast import BroadcastRequest
from netcrier.core.events import Completed
from netcrier.core.master.composer import Composed
from netcrier.core.master.speaker import Speaker
from netcrier.errors import StoreError, UsageError
from netcrier.ids import LANES, MessageId
from netcrier.masterd.event_log import EventLog
from netcrier.masterd.receipts import Receipts
from netcrier.masterd.retention import Retention
from netcrier.masterd.store.messages import BEGINNING, Stored
from netcrier.masterd.store.store import Store
from netcrier.runtime.faults import point
from netcrier.runtime.store import Writer
from netcrier.runtime.udp import clock_us

TTL_MOST: Final = 31_536_000
"""Seconds that a message may live: a year; one without end needs no limit."""


class Broadcasts:
    """See the module. `sending` is held while a number is given and used; `flush()` sends what the speaker has to say,
    `spawn(work)` runs it beside, `failed(error)` is told what the store refuses."""

    def __init__(
        self,
        speaker: Speaker,
        store: Store,
        writer: Writer,
        log: EventLog,
        receipts: Receipts,
        keep: Retention,
        sending: asyncio.Lock,
        flush: Callable[[], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        failed: Callable[[StoreError], None],
    ) -> None:
        self.keep = keep
        """How long messages stay; may change at any time."""
        newest = store.messages.newest(1)
        self.newest: MessageId | None = newest[0].id if newest else None
        self.completed: dict[MessageId, float] = {}
        """Seconds until all that were expected had the message, of those that this run has seen completed."""
        self._speaker, self._store, self._writer = speaker, store, writer
        self._log, self._receipts, self._sending = log, receipts, sending
        self._flush, self._spawn, self._failed = flush, spawn, failed
        self._unpruned = 0

    async def send(self, wanted: BroadcastRequest) -> tuple[Stored, int, bool]:
        """The message, how many nodes it is expected by, and whether the request had been made before."""
        if wanted.lane not in LANES:
            raise UsageError(f"lane {wanted.lane}: there are 0 (the queue) and 1 (urgent)")
        if wanted.ttl is not None and not 0 < wanted.ttl <= TTL_MOST:
            raise UsageError(f"a message's time to live is more than 0 and at most {TTL_MOST:,} seconds")
        ttl_ms = 0 if wanted.ttl is None else max(1, int(wanted.ttl * 1000))
        async with self._sending:
            known = self._store.messages.by_request(wanted.request, clock_us())
            if known:
                outcomes = self._store.outcomes.of(known.number)
                return known, sum(not outcome.unexpected for outcome in outcomes), True
            composed = self._speaker.compose(wanted.lane, wanted.body, clock_us(), wanted.to, ttl_ms)
            try:
                point("master: before message commit")
                await self._writer.run(self._store.messages.add, composed, wanted.request)
                point("master: after message commit")
            except StoreError as error:
                self._speaker.withdraw(composed)
                self._failed(error)
                raise
            self._publish(composed)
        size, expires_us = len(wanted.body), composed.condition.expires_us if composed.condition else None
        stored = Stored(0, composed.id, composed.sent_us, wanted.body[:BEGINNING], size, wanted.to, expires_us)
        return stored, len(composed.expected), False

    def complete(self, done: Completed) -> None:
        """Nobody is expected to say more of a message."""
        self._log.completed(done)
        if done.received == done.expected:
            self.completed[done.message] = done.after
            if len(self.completed) > self.keep.messages:
                del self.completed[next(iter(self.completed))]

    async def drop_old(self) -> None:
        """What goes beyond the retention is a gap to who lacks it."""
        self._unpruned = 0
        try:
            await self._receipts.commit()
            await self._writer.run(self._store.messages.drop_old, self.keep, clock_us())
        except StoreError as error:
            self._failed(error)
            return
        for term in self._store.messages.terms(self._speaker.me.term):
            for lane, lowest in self._store.messages.lowest(term).items():
                self._speaker.dropped(term, lane, lowest, asyncio.get_running_loop().time())
        self._flush()

    def _publish(self, composed: Composed) -> None:
        self.newest = composed.id
        self._unpruned += 1
        if self._unpruned >= self.keep.messages // 10:
            self._spawn(self.drop_old())
        self._speaker.publish(composed, asyncio.get_running_loop().time())
        self._flush()
        point("master: after publish")
        self._log.sent(composed)
        self._log.flush()
