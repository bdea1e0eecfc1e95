"""Receipts on their way into a store that refuses: kept within a bound, and nothing is lost beyond it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, cast

import pytest
from netcrier.core.delivery import Receipt, State
from netcrier.core.events import ReceiptsIn
from netcrier.errors import StoreError
from netcrier.ids import MessageId
from netcrier.masterd import receipts
from netcrier.masterd.event_log import EventLog
from netcrier.masterd.receipts import Receipts
from netcrier.masterd.store.store import Store
from netcrier.runtime.store import Writer
from netcrier.wire.limits import RECEIPTS_WAITING_MAX

from tests.network import Network


class Desk:
    """A network whose master keeps receipts in a real store, which refuses while `full`."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        self.commits = 0
        self.net = Network(2, seed=7)
        self.net.run(5, until=lambda: all(node.listener.enrolled for node in self.net.nodes))
        self.store = Store(path / "store.sqlite")
        self.store.group.keep_nodes(list(self.net.rows.values()))
        self.writer = Writer("store")
        self.said: list[str] = []
        self.works: set[asyncio.Task[None]] = set()
        self.receipts = Receipts(
            self.net.master, self.store, self.writer, cast(EventLog, self), lambda: None, self._spawn,
            lambda error: self.said.append(str(error or "")),
        )  # fmt: skip
        add = self.store.outcomes.add

        def add_receipts(found: list[Receipt]) -> None:
            self.commits += 1
            if self.full:
                raise StoreError("no space")
            add(found)

        monkeypatch.setattr(self.store.outcomes, "add", add_receipts)
        monkeypatch.setattr(receipts, "_AGAIN", 0.01)

    def receipt(self, _receipt: Receipt) -> None:
        """Of the log."""

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.works.add(task)
        task.add_done_callback(self.works.discard)

    def broadcast(self) -> MessageId:
        """Committed, and heard by all nodes; what their reports bring is taken in."""
        before = len(self.net.receipts)
        composed = self.net.broadcast(b"body")
        self.store.messages.add(composed, str(composed.id))
        self.net.run(1)
        self.receipts.take(ReceiptsIn(tuple(self.net.receipts[before:])))
        return composed.id

    def states(self, message: MessageId) -> set[State]:
        """What the store has of it."""
        stored = self.store.messages.find(message)
        assert stored
        return {outcome.state for outcome in self.store.outcomes.of(stored.number)}

    async def settled(self) -> None:
        """Until nothing waits."""
        async with asyncio.timeout(20):
            while self.receipts.waiting:
                await asyncio.sleep(0.01)

    def close(self) -> None:
        self.writer.close()
        self.store.close()


def test_what_a_store_refuses_waits_within_a_bound_and_what_is_beyond_is_told_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        desk = Desk(tmp_path, monkeypatch)
        desk.full = True
        first = desk.broadcast()
        await desk.receipts.commit()
        assert (desk.said[-1], desk.net.master.overfull) == ("no space", False)
        nothing = Receipt(MessageId(1, 0, 99), 0, State.RECEIVED, 0.0)
        desk.receipts.take(ReceiptsIn((nothing,) * (RECEIPTS_WAITING_MAX - desk.receipts.waiting - 1)))
        assert not desk.net.master.overfull
        desk.receipts.take(ReceiptsIn((nothing,)))
        assert (desk.receipts.waiting, desk.net.master.overfull) == (RECEIPTS_WAITING_MAX, True)

        later = desk.broadcast()
        assert desk.receipts.waiting == RECEIPTS_WAITING_MAX
        assert desk.net.master.refused["no room for receipts"] >= 2
        assert desk.net.master.roster.here(next(iter(desk.net.master.roster)), desk.net.now), "who reports is here"

        desk.full = False
        await desk.settled()
        assert not desk.net.master.overfull
        assert desk.states(first) == {State.DELIVERED}
        assert desk.states(later) == {State.PENDING}
        before = len(desk.net.receipts)
        desk.net.run(30)
        desk.receipts.take(ReceiptsIn(tuple(desk.net.receipts[before:])))
        await desk.receipts.commit()
        assert desk.states(later) == {State.DELIVERED}
        desk.close()

    asyncio.run(scenario())


def test_a_store_that_refuses_is_not_tried_at_every_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        desk = Desk(tmp_path, monkeypatch)
        desk.full = True
        monkeypatch.setattr(receipts, "_AGAIN", 60.0)
        desk.broadcast()
        while desk.commits < 1:
            await asyncio.sleep(0.001)
        for _ in range(40):
            desk.broadcast()
            await asyncio.sleep(0.005)
        assert desk.receipts.waiting > 40
        assert desk.commits <= 2, "the first, and what came while it was tried"
        desk.full = False
        await desk.receipts.commit()
        assert (desk.receipts.waiting, desk.said[-1]) == (0, "")
        desk.close()

    asyncio.run(scenario())
