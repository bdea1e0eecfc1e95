"""A journal that cannot go on is set aside and told; the new one gives no number twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from netcrier.core.node.batch import Lane
from netcrier.core.node.inbox import Inbox
from netcrier.errors import DamageError, StoreError
from netcrier.noded.journal.journal import Journal
from netcrier.noded.journal.sound import open_sound

from tests.unit.noded.journal.journals import commit


def fresh() -> Inbox:
    return Inbox([Lane(0, 1, 0)])


def written(path: Path, messages: int) -> None:
    journal, inbox = Journal(path), fresh()
    commit(journal, inbox, *range(1, messages + 1))
    journal.close()


def test_the_first_and_every_sound_one_is_opened_without_a_word(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    first, told = open_sound(path, 0, first=True)
    first.close()
    written(tmp_path / "journal.sqlite", 3)
    again, told_again = open_sound(path, 3, first=False)
    assert (told, told_again, again.newest) == ("", "", 3)
    again.close()
    assert list(tmp_path.glob("*broken*")) == []


@pytest.mark.parametrize("cut", [0, 1, 16, 100, 4096, 2 * 4096, -4096, -1])
def test_a_cut_one_is_set_aside_and_the_next_begins_behind_the_log(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "journal.sqlite"
    written(path, 200)
    left = path.read_bytes()[:cut]
    path.write_bytes(left)
    journal, told = open_sound(path, 200, first=False)
    (aside,) = [one for one in tmp_path.glob("journal.sqlite.broken-*") if one.name.endswith("Z")]
    if cut:  # of an empty file SQLite has made an empty database
        assert aside.read_bytes() == left
    assert aside.name in told
    assert (journal.newest, journal.entries(0, 1000)) == (200, [])
    journal.close()
    again, told = open_sound(path, 200, first=False)
    assert (again.newest, told) == (200, "")
    commit(again, fresh(), 1)
    assert [entry.n for entry in again.entries(0, 10)] == [201]
    again.close()


def test_one_that_is_older_than_the_log_does_not_go_on(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    written(path, 3)
    journal, told = open_sound(path, 5, first=False)
    assert "ended at 3, before the log's last line, 5" in told
    assert journal.newest == 5
    journal.close()


def test_a_lost_one_is_told_and_one_that_never_was_is_not(tmp_path: Path) -> None:
    lost, told = open_sound(tmp_path / "one", 7, first=False)
    never, silent = open_sound(tmp_path / "two", 7, first=True)
    assert (lost.newest, never.newest, silent) == (7, 7, "")
    assert told.startswith("the journal was lost")
    lost.close()
    never.close()


def test_what_is_not_damage_sets_nothing_aside(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.mkdir()
    with pytest.raises(StoreError) as error:
        open_sound(path, 0, first=False)
    assert not isinstance(error.value, DamageError)
    assert path.is_dir()
