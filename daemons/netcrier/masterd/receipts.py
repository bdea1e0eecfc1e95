"""What nodes say of messages, on its way into the store and to who follows it.

Receipts are gathered for some milliseconds and committed together; only then does the speaker say that they were heard.
What the store refuses is kept and tried again. Where too much of it waits, the speaker is told to look at no report
until there is room: what it has looked at once it would not tell again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Final

from netcrier.core.delivery import Receipt, State
from netcrier.core.events import ReceiptsIn
from netcrier.core.master.speaker import Speaker
from netcrier.errors import StoreError
from netcrier.ids import MessageId, NodeId
from netcrier.masterd.event_log import EventLog
from netcrier.masterd.store.outcomes import Outcome, outcome_of
from netcrier.masterd.store.store import Store
from netcrier.runtime.faults import point
from netcrier.runtime.store import Writer
from netcrier.wire.heard import Entry
from netcrier.wire.limits import RECEIPTS_WAITING_MAX

_COMMIT_EVERY: Final = 0.020
_AGAIN: Final = 1.0
_TOGETHER: Final = 8192
"""Receipts of one commit: a store that refuses has not worked on all of them each time."""


class Receipts:
    """See the module. `flush()` sends what the speaker has to say, `spawn(work)` runs it beside, `settled(error)` is
    told of each commit."""

    def __init__(
        self,
        speaker: Speaker,
        store: Store,
        writer: Writer,
        log: EventLog,
        flush: Callable[[], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        settled: Callable[[StoreError | None], None],
    ) -> None:
        self._speaker, self._store, self._writer, self._log = speaker, store, writer, log
        self._flush, self._spawn, self._settled = flush, spawn, settled
        self._committing = asyncio.Lock()
        self._receipts: list[Receipt] = []
        self._heard: list[Entry] = []
        self._flying: list[Receipt] = []
        """Of the commit that runs, what is not on disk."""
        self._rows: set[NodeId] = set()
        self._due = False
        self._refused = False
        """Whether the last commit failed."""
        self._retry: asyncio.TimerHandle | None = None
        self._followers: dict[MessageId, set[asyncio.Queue[Receipt]]] = {}

    def take(self, event: ReceiptsIn) -> None:
        """Log them, tell who follows, and commit them soon."""
        for receipt in event.receipts:
            if receipt.state is not State.REVOKED:
                self._receipts.append(receipt)
                self._log.receipt(receipt)
            for queue in self._followers.get(receipt.message, ()):
                queue.put_nowait(receipt)
        if event.heard:
            self._heard.append(event.heard)
        self._bound()
        self._soon()

    @property
    def waiting(self) -> int:
        """Receipts, and answers to reports, that are not on disk."""
        return len(self._flying) + len(self._receipts) + len(self._heard)

    def changed(self, node: NodeId) -> None:
        """A node's row is another: commit it soon."""
        self._rows.add(node)
        self._soon()

    async def follow(self, message: MessageId) -> AsyncIterator[Outcome]:
        """Receipts of a message: those that are in, then the others as they come; ends with the last."""
        queue: asyncio.Queue[Receipt] = asyncio.Queue()
        followers = self._followers.setdefault(message, set())
        followers.add(queue)
        try:
            await self.commit()
            stored = self._store.messages.find(message)
            outcomes = self._store.outcomes.of(stored.number) if stored else []
            left = {outcome.index for outcome in outcomes if outcome.state is State.PENDING}
            for outcome in outcomes:
                if outcome.state not in (State.PENDING, State.REVOKED):
                    yield outcome
            while left:
                receipt = await queue.get()
                if receipt.index in left:
                    left.discard(receipt.index)
                    if receipt.state not in (State.PENDING, State.REVOKED):
                        yield outcome_of(receipt)
        finally:
            followers.discard(queue)
            if not followers:
                self._followers.pop(message, None)

    def never(self, index: int) -> None:
        """A node is gone: who waits for its receipt is told."""
        for message, queues in self._followers.items():
            for queue in queues:
                queue.put_nowait(Receipt(message, index, State.PENDING, 0.0))

    async def commit(self) -> None:
        """What is in is on disk when this returns, also where another call has begun with it."""
        async with self._committing:
            await self._commit_now()

    async def _commit_now(self) -> None:
        self._due = False
        receipts, self._flying, self._receipts = self._receipts, self._receipts, []
        heard, self._heard = self._heard, []
        changed, self._rows = self._rows, set()
        # As they are now: a row from before a revocation must not follow it into the store.
        rows = [node.row for node in map(self._speaker.roster.get, changed) if node]
        try:
            if rows:
                await self._writer.run(self._store.group.keep_nodes, rows)
            while receipts:
                point("master: before receipt commit")
                await self._writer.run(self._store.outcomes.add, receipts[:_TOGETHER])
                point("master: after receipt commit")
                del receipts[:_TOGETHER]
        except StoreError as error:
            self._receipts, self._flying = receipts + self._receipts, []
            self._heard = heard + self._heard
            self._rows |= changed
            self._refused = True
            self._bound()
            self._settled(error)
            if self._retry:
                self._retry.cancel()
            self._retry = asyncio.get_running_loop().call_later(_AGAIN, self._begin)
        else:
            self._refused = False
            self._bound()
            self._settled(None)
            if heard:
                self._speaker.heard(heard)
                self._flush()

    def _bound(self) -> None:
        self._speaker.overfull = self._refused and self.waiting >= RECEIPTS_WAITING_MAX

    def _soon(self) -> None:
        if not self._due and not self._refused:
            self._due = True
            asyncio.get_running_loop().call_later(_COMMIT_EVERY, self._begin)

    def _begin(self) -> None:
        self._spawn(self.commit())
