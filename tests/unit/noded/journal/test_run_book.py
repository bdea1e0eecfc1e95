"""Which messages still have handlers to run: kept with the message, in order, within bounds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from netcrier.core.node.batch import Arrival, Lane
from netcrier.core.node.hearing import Membership
from netcrier.core.node.inbox import Inbox
from netcrier.core.outcomes import Untold
from netcrier.ids import MasterId, MessageId
from netcrier.noded.journal import room
from netcrier.noded.journal.journal import Journal
from netcrier.noded.journal.run_book import WAITING_MAX, Due
from netcrier.wire.envelope import digest
from netcrier.wire.handled import Code
from netcrier.wire.message import Message
from netcrier.wire.report import Outcome, Told
from netcrier.wire.signed import Head

MASTER = MasterId(b"m" * 16)


def arrival(lane: int, sequence: int, withheld: Told | None = None) -> Arrival:
    body = b"%d.%d" % (lane, sequence)
    message = Message(Head(MASTER, 1, 1, sequence), lane, sequence, 2000, 1_000_000, body, 60_000, "role=web")
    return Arrival(message, digest(body), 2_000_000, withheld)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    journal = Journal(path)
    journal.log_tells = True
    journal.keep_membership(MASTER, Membership(index=3), (Lane(0, 1, 0), Lane(1, 1, 0)))
    yield journal
    journal.close()


def commit(journal: Journal, *arrivals: Arrival, handled: bool = True) -> list[Untold]:
    inbox = Inbox(journal.lanes(MASTER))
    for one in arrivals:
        inbox.offer(one)
    batch = inbox.take_batch()
    assert batch
    return journal.commit(batch, MASTER, "token", handled)


def test_what_comes_where_no_handler_is_is_never_handled(journal: Journal) -> None:
    commit(journal, arrival(0, 1), handled=False)
    commit(journal, arrival(0, 2))
    assert journal.runs.waiting == {0: 1, 1: 0}
    assert journal.runs.next(0) == Due(2, "", running=False, code=None)
    assert journal.runs.next(1) is None


def test_what_is_not_delivered_is_not_handled(journal: Journal) -> None:
    commit(journal, arrival(0, 2))
    assert journal.runs.next(0) is None, "it waits for the one before"
    commit(journal, arrival(0, 1, Told.REFUSED))
    due = journal.runs.next(0)
    assert due
    [entry] = journal.entries(due.n - 1, 1)
    assert (entry.id, entry.selector, entry.ttl_ms) == (MessageId(1, 0, 2), "role=web", 60_000)


def test_lanes_go_on_apart_each_in_order(journal: Journal) -> None:
    commit(journal, arrival(0, 1), arrival(0, 2), arrival(1, 1))
    numbers = {lane: due.n for lane in (0, 1) if (due := journal.runs.next(lane))}
    assert numbers == {0: 1, 1: 3}
    due = journal.runs.next(0)
    assert due
    [entry] = journal.entries(0, 1)
    assert journal.end_run(replace(due, code=3), entry, tell=True) == [Untold(1, Outcome(0, 1, Told.HANDLED, 3))]
    due = journal.runs.next(0)
    assert due
    assert due.n == 2


def test_a_start_outlives_a_crash_and_an_end_leaves_its_outcome(journal: Journal, path: Path) -> None:
    commit(journal, arrival(0, 1))
    begun = Due(1, "message-10", running=True, code=None)
    journal.mark_run(begun)
    again = Journal(path)
    assert again.runs.next(0) == begun
    assert again.runs.waiting == {0: 1, 1: 0}
    [entry] = again.entries(0, 1)
    again.end_run(replace(begun, running=False, code=Code.UNCERTAIN), entry, tell=True)
    again.close()
    later = Journal(path)
    assert later.runs.next(0) is None
    assert later.untold(MASTER) == [Untold(1, Outcome(0, 1, Told.HANDLED, Code.UNCERTAIN))]
    later.close()


def test_where_none_has_run_or_its_master_is_another_by_now_nothing_is_told(journal: Journal) -> None:
    commit(journal, arrival(0, 1), arrival(0, 2))
    for code, tell in ((None, True), (0, False)):
        due = journal.runs.next(0)
        assert due
        [entry] = journal.entries(due.n - 1, 1)
        assert journal.end_run(replace(due, code=code), entry, tell) == []
    assert journal.untold(MASTER) == []
    assert journal.runs.waiting == {0: 0, 1: 0}


def test_beyond_its_bound_a_lane_tells_busy_at_once_and_the_other_has_room(journal: Journal) -> None:
    batch = [arrival(0, sequence) for sequence in range(1, WAITING_MAX + 3)]
    busy = commit(journal, *batch, arrival(1, 1))
    assert busy == [Untold(1, Outcome(0, WAITING_MAX + more, Told.HANDLED, Code.BUSY)) for more in (1, 2)]
    assert journal.untold(MASTER) == busy
    assert journal.runs.waiting == {0: WAITING_MAX, 1: 1}


def test_bodies_that_wait_take_a_part_of_the_journal_and_no_more(tmp_path: Path) -> None:
    """So a slow handler never keeps the node from receiving."""
    small = Journal(tmp_path / "small.sqlite", kept_bytes=40)
    small.keep_membership(MASTER, Membership(index=3), (Lane(0, 1, 0), Lane(1, 1, 0)))
    busy = commit(small, *(arrival(0, sequence) for sequence in range(1, 6)), arrival(1, 1))
    assert [one.outcome.sequence for one in busy] == [4, 5], "three bodies of three bytes are in ten"
    assert small.runs.waiting == {0: 3, 1: 1}
    small.logged = small.newest
    for sequence in range(6, 100):
        commit(small, arrival(0, sequence))
        small.logged = small.newest
    assert [entry.n for entry in small.entries(0, 5)][:4] == [1, 2, 3, 6]
    assert sum(len(entry.body) for entry in small.entries(0, 100)) <= 40
    small.close()


def test_what_waits_stays_in_the_journal_however_old(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "KEPT_MESSAGES", 5)
    monkeypatch.setattr(room, "FORGET_EACH", 1)
    commit(journal, arrival(0, 1))
    commit(journal, *(arrival(0, sequence) for sequence in range(2, 19)), handled=False)
    journal.logged = journal.newest
    commit(journal, arrival(0, 19), handled=False)
    assert [entry.n for entry in journal.entries(0, 100)] == [1, *range(15, 20)]
    due = journal.runs.next(0)
    assert due
    journal.end_run(due, journal.entries(0, 1)[0], tell=True)
    commit(journal, arrival(0, 20), handled=False)
    assert journal.entries(0, 1)[0].n == 16
