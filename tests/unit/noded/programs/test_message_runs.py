"""The message handlers of a node: which run, in which order, and what is told, without starting any."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from netcrier.core.outcomes import Untold
from netcrier.errors import StoreError
from netcrier.noded.config import HandlersSection
from netcrier.noded.journal.entry import Entry
from netcrier.noded.journal.journal import Journal
from netcrier.noded.journal.run_book import Due
from netcrier.noded.programs import message_runs
from netcrier.noded.programs.files import HandlerFiles
from netcrier.noded.programs.message_runs import MessageRuns
from netcrier.noded.programs.runner import Ran, Run
from netcrier.runtime.store import Writer
from netcrier.wire.handled import Code

from tests.unit.noded.journal.test_run_book import MASTER, arrival, commit, journal, path

__all__ = ["journal", "path"]  # fixtures


@dataclass
class Node:
    """A node without a network: what its handlers return is scripted, what it tells is noted."""

    codes: dict[str, int] = field(default_factory=dict)
    ran: list[tuple[str, bytes]] = field(default_factory=list)
    tells: list[tuple[int, int]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    gate: asyncio.Event | None = None
    trusts: bool = True
    follow: bool = True

    async def run(self, asked: Run) -> Ran:
        self.ran.append((asked.name, asked.body))
        if self.gate:
            await self.gate.wait()
        return Ran(self.codes.get(asked.name, 0), b"said\n", 5)

    def facts_of(self, entry: Entry) -> dict[str, str]:
        return {"ID": str(entry.id)}

    def runs_for(self, entry: Entry) -> bool:
        return self.trusts and entry.trust == "token"

    def follows(self, entry: Entry) -> bool:
        return self.follow and entry.master == MASTER

    def told(self, untold: Sequence[Untold]) -> None:
        self.tells += [(one.outcome.sequence, one.outcome.code) for one in untold]

    def refused(self, error: StoreError) -> None:
        self.errors.append(str(error))


Work = Callable[[MessageRuns], Awaitable[None]]


def at_work(journal: Journal, node: Node, names: Sequence[str], work: Work, **config: Any) -> None:
    """Let `work` happen on a node with these handlers; then it stops."""
    place = Path(journal._path).parent / "handlers.d"
    place.mkdir()
    for name in names:
        (place / name).touch(0o755)
    journal.logged = journal.newest

    async def all_of_it() -> None:
        writer = Writer("journal")
        runs: Any = node
        messages = MessageRuns(HandlersSection(**config), runs, HandlerFiles(place), journal, writer, node)
        messages.wake()
        await work(messages)
        await messages.stop()
        writer.close()

    asyncio.run(all_of_it())


async def idle(runs: MessageRuns) -> None:
    while runs.waiting or runs.running:
        await asyncio.sleep(0.001)


def test_all_run_by_name_for_each_message_in_order_and_the_first_failure_is_told(journal: Journal) -> None:
    commit(journal, arrival(0, 1), arrival(0, 2))
    node = Node({"message-b": 3, "message-c": 4})
    at_work(journal, node, ["message-b", "message-a", "message-c", "disk"], idle)
    names = ["message-a", "message-b", "message-c"]
    assert node.ran == [(name, body) for body in (b"0.1", b"0.2") for name in names]
    assert node.tells == [(1, 3), (2, 3)]


def test_where_handlers_have_gone_nothing_is_told(journal: Journal) -> None:
    commit(journal, arrival(0, 1), arrival(0, 2))
    node = Node({"message": Code.NO_HANDLER})
    at_work(journal, node, ["message"], idle)
    assert (len(node.ran), node.tells, journal.untold(MASTER)) == (2, [], [])


@pytest.mark.parametrize("changed", ["trusts", "follow"])
def test_an_untrusted_master_starts_nothing_and_one_that_is_left_is_told_nothing(
    journal: Journal, changed: str
) -> None:
    commit(journal, arrival(0, 1))
    node = Node()
    setattr(node, changed, False)
    at_work(journal, node, ["message"], idle)
    assert (len(node.ran), node.tells) == (0 if changed == "trusts" else 1, [])
    assert journal.runs.next(0) is None


def test_a_begun_one_is_uncertain_and_those_behind_it_run(journal: Journal) -> None:
    commit(journal, arrival(0, 1))
    journal.mark_run(Due(1, "message-a", running=True, code=None))
    node = Node()
    at_work(journal, node, ["message-a", "message-b"], idle)
    assert node.ran == [("message-b", b"0.1")]
    assert node.tells == [(1, Code.UNCERTAIN)]


def test_an_idempotent_one_is_begun_again_and_what_failed_before_is_not_forgotten(journal: Journal) -> None:
    commit(journal, arrival(0, 1))
    journal.mark_run(Due(1, "message-b", running=True, code=7))
    node = Node()
    at_work(journal, node, ["message-a", "message-b"], idle, idempotent=["message-b"])
    assert node.ran == [("message-b", b"0.1")]
    assert node.tells == [(1, 7)]


def test_what_is_not_in_the_log_waits(journal: Journal) -> None:
    commit(journal, arrival(0, 1), arrival(0, 2))
    node = Node()

    async def work(runs: MessageRuns) -> None:
        journal.logged = 1
        while not node.tells:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.02)
        assert len(node.ran) == 1
        journal.logged = 2
        runs.wake()
        await idle(runs)

    at_work(journal, node, ["message"], work)
    assert node.tells == [(1, 0), (2, 0)]


def test_a_stop_ends_what_lasts_and_it_is_uncertain_then(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_runs, "STOP_WITHIN", 0.01)
    commit(journal, arrival(0, 1), arrival(0, 2))
    node = Node()

    async def work(runs: MessageRuns) -> None:
        node.gate = asyncio.Event()
        while not node.ran:
            await asyncio.sleep(0.001)
        assert (runs.running, runs.waiting) == (1, 1)

    at_work(journal, node, ["message"], work)
    assert journal.runs.next(0) == Due(1, "message", running=True, code=None)
    assert node.tells == []


def test_a_journal_that_refuses_is_tried_again_and_nothing_runs_meanwhile(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message_runs, "_RETRY", 0.01)
    commit(journal, arrival(0, 1))
    node, mark, refusals = Node(), journal.mark_run, iter(range(3))

    def refusing(due: Due) -> None:
        if next(refusals, None) is not None:
            assert not node.ran
            raise StoreError("the store cannot be written: full")
        mark(due)

    monkeypatch.setattr(journal, "mark_run", refusing)
    at_work(journal, node, ["message"], idle)
    assert (len(node.ran), len(node.errors), node.tells) == (1, 3, [(1, 0)])


def test_the_last_failure_is_kept_with_its_words_for_status(journal: Journal) -> None:
    commit(journal, arrival(0, 1))
    node = Node({"message": Code.TIMED_OUT})

    async def work(runs: MessageRuns) -> None:
        await idle(runs)
        assert runs.failures == 1
        assert runs.last_failure
        assert (runs.last_failure.handler, runs.last_failure.message, runs.last_failure.code) == ("message", "1", 513)

    at_work(journal, node, ["message"], work)
