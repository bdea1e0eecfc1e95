"""The log has each message of the journal once, whatever came between."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from netcrier.core.node.batch import Lane
from netcrier.core.node.hearing import Membership
from netcrier.core.node.inbox import Inbox
from netcrier.errors import StoreError
from netcrier.ids import MessageId
from netcrier.noded.journal import journal as journals
from netcrier.noded.journal.entry import Entry
from netcrier.noded.journal.journal import Journal
from netcrier.noded.journal.sound import open_sound
from netcrier.noded.message_log import BODY_LOGGED, LossLine, MessageLine, MessageLog, line_of
from netcrier.runtime.archive import Archive, Rotation, rotated
from netcrier.runtime.logs import JsonLog
from netcrier.wire.envelope import digest
from netcrier.wire.report import Told
from netcrier.wire.skip import ANY_NODE, Cause, Skip

from tests.unit.noded.journal.journals import HEAD, MASTER, commit, passed


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.sqlite")
    journal.keep_membership(MASTER, Membership(), (Lane(0, 1, 0),))
    yield journal
    journal.close()


def numbers(path: Path) -> list[int]:
    return [json.loads(line)["n"] for line in path.read_text().splitlines()]


def written(journal: Journal, path: Path) -> None:
    """What a start of noded does."""
    log = JsonLog(path)
    MessageLog(log, journal, "epoch").catch_up()
    log.close()


def test_a_start_appends_what_a_crash_left_out(journal: Journal, tmp_path: Path) -> None:
    path = tmp_path / "messages.log"
    inbox = Inbox(journal.lanes(MASTER))
    commit(journal, inbox, 1, 2)
    written(journal, path)
    commit(journal, inbox, 3, 4)
    journal.logged = 0
    written(journal, path)
    assert numbers(path) == [1, 2, 3, 4]


def test_a_new_journal_behind_a_log_that_is_gone_has_nothing_to_append(tmp_path: Path) -> None:
    """The start ended before the node was let in, and the log was put aside meanwhile."""
    path = tmp_path / "journal.sqlite"
    lost, _ = open_sound(path, 7, first=False)
    lost.close()
    again, _ = open_sound(path, 0, first=False)
    assert (again.newest, again.logged) == (7, 7)
    written(again, tmp_path / "messages.log")
    again.close()


def test_a_journal_that_cannot_be_read_is_said_and_tried_again(journal: Journal, tmp_path: Path) -> None:
    """What was committed before the reading failed stays committed."""
    log = JsonLog(tmp_path / "messages.log")
    messages, read = MessageLog(log, journal, "epoch"), journal._read
    commit(journal, Inbox(journal.lanes(MASTER)), 1, 2)
    journal.entries(0, 2)

    def refuse(query: str, *values: int) -> Iterator[Entry]:
        raise StoreError("disk I/O error")

    journal._read = refuse  # type: ignore[method-assign]
    assert (messages.catch_up(), messages.fault) == ([], "disk I/O error")
    journal._read = read  # type: ignore[method-assign]
    assert ([entry.n for entry in messages.catch_up()], messages.fault) == ([1, 2], "")
    log.close()


def test_a_torn_last_line_is_cut_and_written_again(journal: Journal, tmp_path: Path) -> None:
    path = tmp_path / "messages.log"
    commit(journal, Inbox(journal.lanes(MASTER)), 1, 2, 3)
    written(journal, path)
    path.write_bytes(path.read_bytes()[:-20])
    journal.logged = 0
    written(journal, path)
    assert numbers(path) == [1, 2, 3]


@pytest.mark.parametrize("each", [0, 2, journals.LANE_EACH])
def test_lines_that_a_power_cut_has_taken_are_written_again(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, each: int
) -> None:
    """The journal is on the disk at each commit, a line of the log some seconds later."""
    monkeypatch.setattr(journals, "LANE_EACH", each)
    path = tmp_path / "messages.log"
    inbox = Inbox(journal.lanes(MASTER))
    log = JsonLog(path)
    messages = MessageLog(log, journal, "epoch")
    for sequence in range(1, 6):
        commit(journal, inbox, sequence)
        messages.catch_up()
    log.close()
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    again = Journal(tmp_path / "journal.sqlite")
    written(again, path)
    again.close()
    assert numbers(path) == [1, 2, 3, 4, 5]


def test_the_first_line_of_a_file_is_on_the_disk_before_the_next(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that a power cut leaves empty could not say that lines lack."""
    synced: list[int] = []
    path = tmp_path / "messages.log"
    monkeypatch.setattr(os, "fsync", lambda _file: synced.append(len(numbers(path))))
    log = JsonLog(path)
    messages = MessageLog(log, journal, "epoch")
    commit(journal, Inbox(journal.lanes(MASTER)), 1, 2, 3)
    messages.catch_up()
    log.close()
    assert synced == [1]


def test_a_rotation_repeats_nothing(journal: Journal, tmp_path: Path) -> None:
    path = tmp_path / "messages.log"
    inbox = Inbox(journal.lanes(MASTER))
    commit(journal, inbox, 1, 2)
    log = JsonLog(path)
    messages = MessageLog(log, journal, "epoch")
    messages.catch_up()
    path.rename(tmp_path / "messages.log.1")
    messages.reopen()
    log.close()
    again = Journal(tmp_path / "journal.sqlite")
    written(again, path)
    assert numbers(path) == []
    again.close()


def test_a_log_that_is_not_on_the_disk_is_not_put_aside(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut may take its lines yet, and the new file could not say that they lack."""

    def refuse(_file: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    path = tmp_path / "messages.log"
    log = JsonLog(path, archive=Archive(tmp_path, Rotation(size=1, compression="none")))
    messages = MessageLog(log, journal, "epoch")
    monkeypatch.setattr(os, "fsync", refuse)
    commit(journal, Inbox(journal.lanes(MASTER)), 1, 2, 3)
    messages.catch_up()
    with pytest.raises(StoreError, match="Input/output error"):
        messages.reopen()
    log.close()
    assert numbers(path) == [1, 2, 3]
    again = Journal(tmp_path / "journal.sqlite")
    assert again.logged == 0
    again.close()


@pytest.mark.parametrize("crash", [False, True])
def test_a_log_that_is_due_is_rotated_between_two_messages(journal: Journal, tmp_path: Path, crash: bool) -> None:
    """A crash may come just after the file was put aside: the new one is empty and cannot say how far it came."""
    path = tmp_path / "messages.log"
    inbox = Inbox(journal.lanes(MASTER))
    log = JsonLog(path, archive=Archive(tmp_path, Rotation(size=1, compression="none")))
    messages = MessageLog(log, journal, "epoch")
    commit(journal, inbox, 1, 2, 3)
    messages.catch_up()
    if crash:
        messages.rotate()
    log.close()
    again = Journal(tmp_path / "journal.sqlite")
    again.keep_membership(MASTER, Membership(), again.lanes(MASTER))
    written(again, path)
    again.close()
    files = [*(one.path for one in rotated(tmp_path)), path]
    assert [number for file in files for number in numbers(file)] == [1, 2, 3]
    assert len(files) == (4 if crash else 3)


def test_a_body_that_is_not_text_is_logged_as_base64() -> None:
    entry = Entry(1, MASTER, MessageId(1, 1, 7), b"\xff\x00", 1_500_000, 2_500_000, "token")
    line = line_of(entry, logged_us=1_700_000_001_500_000)
    assert isinstance(line, MessageLine)
    assert (line.id, line.text, line.body_b64, line.ts, line.sent) == ("u7", None, b"\xff\x00", 2.5, 1.5)


@pytest.mark.parametrize(("told", "event"), [(Told.MISSED, "missed"), (Told.GAP, "gap")])
def test_what_the_node_is_without_is_logged_from_first_to_last(told: Told, event: str) -> None:
    entry = Entry(9, MASTER, MessageId(1, 0, 7), b"", 0, 2_500_000, "token", told, 12)
    line = line_of(entry, logged_us=3_000_000)
    assert isinstance(line, LossLine)
    assert (line.event, line.n, line.id, line.seq, line.last, line.count, line.ts) == (event, 9, "7", 7, 12, 6, 2.5)


def test_the_log_goes_on_after_a_line_on_what_is_missed(journal: Journal, tmp_path: Path) -> None:
    path = tmp_path / "messages.log"
    inbox = Inbox(journal.lanes(MASTER))
    passed(journal, inbox, Skip(HEAD, 0, 1, 3, Cause.EXPIRED, ANY_NODE, digest(b"")))
    written(journal, path)
    journal.logged = 0
    commit(journal, inbox, 4)
    written(journal, path)
    assert numbers(path) == [1, 2]


@pytest.mark.parametrize(
    ("body", "text", "raw"),
    [
        (b"a" * BODY_LOGGED, "a" * BODY_LOGGED, None),
        (b"a" * (BODY_LOGGED + 1), "a" * BODY_LOGGED, None),
        (b"a" * (BODY_LOGGED - 1) + "ü".encode() * 2, "a" * (BODY_LOGGED - 1), None),
        (b"\xff" * (BODY_LOGGED + 1), None, b"\xff" * BODY_LOGGED),
    ],
)
def test_a_line_has_at_most_the_beginning_of_a_body_with_the_size_and_hash_of_all(
    body: bytes, text: str | None, raw: bytes | None
) -> None:
    line = line_of(Entry(1, MASTER, MessageId(1, 0, 1), body, 0, 0, "token"), 0)
    assert isinstance(line, MessageLine)
    assert (line.text, line.body_b64, line.cut) == (text, raw, len(body) > BODY_LOGGED)
    assert (line.size, line.sha256) == (len(body), sha256(body).hexdigest())
