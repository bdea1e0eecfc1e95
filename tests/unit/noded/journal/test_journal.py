"""The journal gives each message one place, keeps what is held beyond a gap, and never goes back."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from unittest.mock import Mock

import pytest
from msgspec.structs import replace
from netcrier.core.node.batch import Arrival, Batch, Lane
from netcrier.core.node.hearing import Membership
from netcrier.core.node.inbox import Inbox
from netcrier.core.outcomes import Untold
from netcrier.errors import StoreError
from netcrier.ids import MasterId, MessageId
from netcrier.noded.journal import journal as journals
from netcrier.noded.journal import room
from netcrier.noded.journal.journal import READ_BYTES, Journal
from netcrier.runtime.store import write
from netcrier.wire.envelope import digest
from netcrier.wire.message import Message
from netcrier.wire.report import Outcome, Told
from netcrier.wire.signed import Head
from netcrier.wire.skip import ANY_NODE, Cause, Skip

from tests.unit.noded.journal.journals import HEAD, MASTER, arrival, commit, passed, settle

OTHER = MasterId(b"o" * 16)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.fixture(params=[False, True], ids=["", "log tells"])
def journal(path: Path, request: pytest.FixtureRequest) -> Iterator[Journal]:
    journal = Journal(path)
    journal.log_tells = request.param
    journal.keep_membership(MASTER, Membership(index=3), (Lane(0, 1, 0),))
    yield journal
    journal.close()


def test_messages_are_numbered_in_the_order_in_which_they_become_deliverable(journal: Journal) -> None:
    inbox = Inbox(journal.lanes(MASTER))
    commit(journal, inbox, 2, 3)
    assert journal.entries(0, 10) == []
    commit(journal, inbox, 1)
    assert [(entry.n, entry.id.sequence) for entry in journal.entries(0, 10)] == [(1, 1), (2, 2), (3, 3)]
    assert [entry.n for entry in journal.last(2)] == [2, 3]


def test_what_waits_is_not_listed_wherever_the_list_begins(journal: Journal) -> None:
    inbox = Inbox(journal.lanes(MASTER))
    commit(journal, inbox, 1, 3, 4)
    for after, found in ((-10, [1]), (-(1 << 70), [1]), (1, []), (1 << 70, [])):
        assert [entry.n for entry in journal.walk(after, 100)] == found
        assert [entry.n for entry in journal.entries(after, 100)] == found


def test_a_restart_finds_marks_held_messages_and_membership(journal: Journal, path: Path) -> None:
    inbox = Inbox(journal.lanes(MASTER))
    commit(journal, inbox, 1, 3)
    again = Journal(path)
    assert again.lanes(MASTER) == inbox.lanes
    assert again.membership(MASTER).index == 3
    assert again.newest == 1
    again.close()


def on_lane(lane: int, sequence: int) -> Arrival:
    return replace(arrival(sequence), message=replace(arrival(sequence).message, lane=lane))


def test_wherever_it_ends_a_restart_finds_the_lanes_as_they_were(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "KEPT_MESSAGES", 20)
    monkeypatch.setattr(room, "FORGET_EACH", 5)
    chance = random.Random(5)
    journal = Journal(path)
    journal.log_tells = True
    journal.keep_membership(MASTER, Membership(), (Lane(0, 1, 0), Lane(1, 1, 0)))
    inbox = Inbox(journal.lanes(MASTER))
    alone = Mock(wraps=write)
    monkeypatch.setattr(journals, "write", alone)
    for _ in range(500):
        lane = inbox.lanes[int(chance.random() < 0.1)]
        free = [number for number in range(lane.mark + 1, lane.mark + 4) if number not in dict(lane.held)]
        if chance.random() < 0.1:
            inbox.skip(Skip(HEAD, lane.lane, free[0], 2, chance.choice(list(Cause)), ANY_NODE, digest(b"%d" % free[0])))
            free = [free[0] + 2] if free[0] + 2 not in dict(lane.held) else []
        if free and chance.random() < 0.9:
            sequence = chance.choice(free) if chance.random() < 0.1 else free[0]
            withheld = Told.REFUSED if chance.random() < 0.05 else None
            inbox.offer(replace(on_lane(lane.lane, sequence), withheld=withheld))
        if (batch := inbox.take_batch()) is None:
            continue
        journal.commit(batch, MASTER, "token")
        inbox.committed(batch)
        journal.logged = journal.newest
        again = Journal(path)
        assert again.lanes(MASTER) == inbox.lanes
        assert again.newest == journal.newest
        again.close()
    assert len(journal.entries(0, 1000)) <= 25  # the others have left, those of the quiet lane too
    assert 200 < alone.call_count < 450
    journal.close()


def test_a_restart_looks_at_few_messages_to_find_where_the_lanes_are(path: Path) -> None:
    journal = Journal(path)
    journal.log_tells = True
    journal.keep_membership(MASTER, Membership(), (Lane(0, 1, 0), Lane(1, 1, 0)))
    inbox = Inbox(journal.lanes(MASTER))
    for sequence in range(1, 100):
        commit(journal, inbox, sequence)
        with closing(sqlite3.connect(path)) as database:
            (mark,) = database.execute("SELECT mark FROM lane WHERE lane = 0").fetchone()
        assert 0 <= sequence - mark <= journals.LANE_EACH
    journal.close()


def test_what_other_lanes_pass_is_kept_with_a_message(journal: Journal, path: Path) -> None:
    inbox = Inbox([Lane(0, 1, 0), Lane(1, 1, 0)])
    commit(journal, inbox, 1)
    inbox.skip(Skip(HEAD, 1, 1, 3, Cause.NOT_FOR_YOU, ANY_NODE, digest(b"chain")))
    commit(journal, inbox, 2)
    again = Journal(path)
    assert [(lane.lane, lane.mark) for lane in again.lanes(MASTER)] == [(0, 2), (1, 3)]
    again.close()


def test_a_starting_point_never_moves_a_mark_of_the_same_term(journal: Journal) -> None:
    commit(journal, Inbox(journal.lanes(MASTER)), 1, 2)
    journal.keep_membership(MASTER, Membership(), (Lane(0, 1, 0),))
    assert [lane.mark for lane in journal.lanes(MASTER)] == [2]
    journal.keep_membership(MASTER, Membership(), (Lane(0, 2, 7),))
    assert [(lane.term, lane.mark) for lane in journal.lanes(MASTER)] == [(2, 7)]


def test_another_masters_numbers_do_not_collide(journal: Journal) -> None:
    commit(journal, Inbox(journal.lanes(MASTER)), 1)
    inbox = Inbox([Lane(0, 1, 0)])
    inbox.offer(arrival(1, OTHER))
    batch = inbox.take_batch()
    assert batch
    journal.commit(batch, OTHER, "first-use")
    assert [(entry.n, entry.master, entry.id) for entry in journal.entries(0, 10)] == [
        (1, MASTER, MessageId(1, 0, 1)),
        (2, OTHER, MessageId(1, 0, 1)),
    ]


def test_a_batch_that_cannot_be_committed_leaves_nothing(journal: Journal) -> None:
    inbox = Inbox(journal.lanes(MASTER))
    commit(journal, inbox, 1)
    twice = Inbox([Lane(0, 1, 0)])
    twice.offer(arrival(2))
    twice.offer(arrival(1))
    batch = twice.take_batch()
    assert batch
    with pytest.raises(StoreError):
        journal.commit(batch, MASTER, "token")
    assert [entry.id.sequence for entry in journal.entries(0, 10)] == [1]
    assert journal.newest == 1


def test_old_messages_leave_the_journal_and_their_numbers_stay(journal: Journal) -> None:
    inbox = Inbox(journal.lanes(MASTER))
    for start in range(1, room.KEPT_MESSAGES + 500, 500):
        commit(journal, inbox, *range(start, start + 500))
        journal.logged = journal.newest
    entries = journal.entries(0, room.KEPT_MESSAGES * 2)
    assert len(entries) == room.KEPT_MESSAGES
    assert entries[-1].n == journal.newest == room.KEPT_MESSAGES + 500


def test_what_the_log_has_not_taken_stays_however_many_they_are(journal: Journal) -> None:
    inbox = Inbox(journal.lanes(MASTER))
    commit(journal, inbox, 1, 2, 3)
    journal.logged = 2
    for start in range(4, room.KEPT_MESSAGES + 1500, 500):
        commit(journal, inbox, *range(start, start + 500))
    assert journal.entries(2, 1)[0].n == 3


def test_a_damaged_file_is_said_and_not_begun_anew(path: Path) -> None:
    path.write_bytes(b"this is no database, but somebody's file" * 200)
    with pytest.raises(StoreError, match="cannot be used as a store"):
        Journal(path)
    assert path.read_bytes().startswith(b"this is no database")


def test_what_the_node_is_without_has_its_place_among_the_messages(journal: Journal) -> None:
    inbox = Inbox(journal.lanes(MASTER))
    commit(journal, inbox, 1, 4)
    passed(journal, inbox, Skip(HEAD, 0, 2, 4, Cause.NO_LONGER_KEPT, ANY_NODE, digest(b"chain")))
    found = [(entry.n, entry.id.sequence, entry.last, entry.told) for entry in journal.entries(0, 10)]
    assert found == [(1, 1, 1, None), (2, 2, 3, Told.GAP), (3, 4, 4, None), (4, 5, 5, Told.GAP)]
    (lane,) = journal.lanes(MASTER)
    assert (lane.mark, lane.chain, lane.held) == (5, digest(b"chain"), ())


def test_a_refused_message_takes_its_number_and_no_place(journal: Journal, path: Path) -> None:
    inbox = Inbox(journal.lanes(MASTER))
    inbox.offer(replace(arrival(2), withheld=Told.REFUSED, told=Told.REFUSED, code=1))
    commit(journal, inbox)
    assert journal.lanes(MASTER)[0].withheld == ((2, Told.REFUSED),)
    assert journal.untold(MASTER) == [Untold(1, Outcome(0, 2, Told.REFUSED, 1))]
    commit(journal, Inbox(journal.lanes(MASTER)), 1, 3)
    assert [(entry.n, entry.id.sequence) for entry in journal.entries(0, 10)] == [(1, 1), (2, 3)]
    assert journal.lanes(MASTER)[0].mark == 3


def test_what_was_refused_leaves_once_its_number_is_taken_whatever_other_lanes_do(path: Path) -> None:
    journal, inbox = Journal(path), Inbox([Lane(0, 1, 0), Lane(1, 1, 0)])
    journal.log_tells = True
    inbox.offer(replace(arrival(2), withheld=Told.REFUSED))
    commit(journal, inbox)
    for sequence in (1, 2):
        inbox.offer(on_lane(1, sequence))
        commit(journal, inbox)
    commit(journal, inbox, 1)
    commit(journal, inbox, 3)
    inbox.offer(replace(arrival(4), withheld=Told.REFUSED))
    commit(journal, inbox)
    commit(journal, inbox, 5)
    journal.close()
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT count(*) FROM message WHERE n < 0").fetchone() == (0,)
    database.close()


def test_what_is_untold_stays_until_it_is_settled(journal: Journal, path: Path) -> None:
    one, two = (Untold(1, Outcome(0, number, Told.HANDLED, number)) for number in (5, 6))
    journal.commit(Batch((), (), (), (one, two)), MASTER, "token")
    journal.settle(MASTER, [one])
    journal.settle(OTHER, [two])
    again = Journal(path)
    assert (again.untold(MASTER), again.untold(OTHER)) == ([two], [])
    again.close()


def test_what_is_untold_of_a_message_is_kept_with_it(journal: Journal, path: Path) -> None:
    inbox = Inbox(journal.lanes(MASTER))
    commit(journal, inbox, 1)
    inbox.offer(replace(arrival(2), told=Told.RECEIVED))
    settle(journal, inbox)
    again = Journal(path)
    assert again.untold(MASTER) == [Untold(1, Outcome(0, 2, Told.RECEIVED, 0))]
    again.close()


def test_where_no_log_tells_how_far_it_has_come_the_journal_does(path: Path) -> None:
    journal = Journal(path)
    journal.keep_membership(MASTER, Membership(), (Lane(0, 1, 0),))
    inbox = Inbox(journal.lanes(MASTER))
    for sequence in range(1, 10):
        commit(journal, inbox, sequence)
        journal.logged = journal.newest
    again = Journal(path)
    assert (again.logged, again.newest) == (8, 9)  # the last line may come twice
    again.close()
    journal.close()


def big(sequence: int, size: int) -> Arrival:
    message = Message(Head(MASTER, 1, 1, sequence), 0, sequence, 2000, 1_000_000, bytes(size))
    return Arrival(message, digest(b"%d" % sequence), 2_000_000)


def keep(journal: Journal, inbox: Inbox, one: Arrival, logged: bool) -> None:
    inbox.offer(one)
    settle(journal, inbox)
    if logged:
        journal.logged = journal.newest


def test_the_oldest_logged_messages_leave_where_bodies_take_too_many_bytes(path: Path) -> None:
    journal = Journal(path, kept_bytes=10_000)
    journal.keep_membership(MASTER, Membership(), (Lane(0, 1, 0),))
    inbox = Inbox(journal.lanes(MASTER))
    for sequence in range(1, 31):
        keep(journal, inbox, big(sequence, 1000), logged=True)
    assert [entry.n for entry in journal.entries(0, 100)] == list(range(21, 31))
    journal.close()
    again = Journal(path, kept_bytes=10_000)
    keep(again, Inbox(again.lanes(MASTER)), big(31, 2500), logged=False)
    assert [entry.n for entry in again.entries(0, 100)] == list(range(24, 32))
    again.close()


def test_what_the_log_has_not_taken_stays_until_the_journal_is_full_and_then_it_refuses(path: Path) -> None:
    journal = Journal(path, kept_bytes=10_000)
    journal.keep_membership(MASTER, Membership(), (Lane(0, 1, 0),))
    inbox = Inbox(journal.lanes(MASTER))
    for sequence in range(1, 21):
        keep(journal, inbox, big(sequence, 1000), logged=False)
    with pytest.raises(StoreError, match="the journal is full: 20,000 bytes that the log has not taken"):
        keep(journal, Inbox(journal.lanes(MASTER)), big(21, 1000), logged=False)
    assert [entry.n for entry in journal.entries(0, 100)] == list(range(1, 21))
    journal.logged = 20
    keep(journal, Inbox(journal.lanes(MASTER)), big(21, 0), logged=True)
    keep(journal, Inbox(journal.lanes(MASTER)), big(22, 1000), logged=True)
    assert [entry.n for entry in journal.entries(0, 100)][-2:] == [21, 22]
    journal.close()


def test_short_messages_too_fill_a_journal_whose_log_takes_nothing_and_none_is_lost(path: Path) -> None:
    journal = Journal(path, unlogged=10)
    journal.keep_membership(MASTER, Membership(), (Lane(0, 1, 0),))
    commit(journal, Inbox(journal.lanes(MASTER)), *range(1, 11))
    with pytest.raises(StoreError, match="the journal is full: 10 messages that the log has not taken"):
        commit(journal, Inbox(journal.lanes(MASTER)), 11)
    inbox = Inbox(journal.lanes(MASTER))
    inbox.skip(Skip(HEAD, 0, 11, 1, Cause.NO_LONGER_KEPT, ANY_NODE, digest(b"chain")))
    gap = inbox.take_batch()
    assert gap
    with pytest.raises(StoreError, match="the journal is full"):  # a line of the log as well
        journal.commit(gap, MASTER, "token")
    commit(journal, Inbox(journal.lanes(MASTER)), 12)  # takes no place in the log yet
    assert journal.lanes(MASTER)[0].mark == 10
    journal.logged = 1
    commit(journal, Inbox(journal.lanes(MASTER)), 13)
    with pytest.raises(StoreError, match="the journal is full"):
        commit(journal, Inbox(journal.lanes(MASTER)), 11)
    journal.logged = 3
    commit(journal, Inbox(journal.lanes(MASTER)), 11)
    assert [entry.id.sequence for entry in journal.entries(0, 100)] == list(range(1, 14))
    journal.close()


def test_a_lane_that_leaves_its_term_before_the_log_has_all_of_it_is_kept_until_that_is_told(path: Path) -> None:
    journal = Journal(path)
    journal.keep_membership(MASTER, Membership(), (Lane(0, 1, 0), Lane(1, 1, 0)))
    inbox = Inbox(journal.lanes(MASTER))
    commit(journal, inbox, 1, 2)
    for lane in (0, 1):
        inbox.turn(lane, 2 * (1 - lane), 2)
    turn = inbox.take_batch()
    assert turn
    journal.commit(turn, MASTER, "token")
    inbox.committed(turn)
    journal.close()
    again = Journal(path)
    first, second = sorted(again.left.of(MASTER), key=lambda lane: lane.lane)
    assert (first.lane, first.term, first.mark) == (0, 1, 2)
    assert (second.lane, second.term, second.mark) == (1, 1, 0)
    again.left.forget(MASTER, 1, 0)
    assert (again.left.of(MASTER), again.left.of(OTHER)) == ((second,), ())
    again.left.forget(MASTER, 1, 1)
    again.logged = again.newest
    inbox.turn(0, 0, 3)
    turn = inbox.take_batch()
    assert turn
    again.commit(turn, MASTER, "token")
    assert again.left.of(MASTER) == (), "the log has all: the last report has said so"
    again.close()


def test_a_page_of_long_messages_ends_early_and_the_next_goes_on(journal: Journal) -> None:
    inbox = Inbox(journal.lanes(MASTER))
    for sequence in range(1, 8):
        keep(journal, inbox, big(sequence, READ_BYTES // 3 + 1), logged=True)
    assert [entry.n for entry in journal.entries(0, 100)] == [1, 2, 3]
    assert [entry.n for entry in journal.entries(3, 100)] == [4, 5, 6]
    assert [entry.n for entry in journal.walk(0, 100)] == list(range(1, 8))


def test_a_message_is_found_by_its_name(journal: Journal) -> None:
    commit(journal, Inbox(journal.lanes(MASTER)), 1, 2)
    found = journal.find(MessageId(1, 0, 2))
    assert found
    assert (found.n, found.body) == (2, b"body 2")
    assert journal.find(MessageId(1, 0, 3)) is None
