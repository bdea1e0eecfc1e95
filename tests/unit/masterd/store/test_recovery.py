"""A store that is lost or damaged is told; what replaces it keeps the identity and all that can still be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from netcrier.core.events import NodeRow
from netcrier.core.master.admission import Grant
from netcrier.core.master.keyring import GroupKeys
from netcrier.errors import DamageError, StoreError, UsageError
from netcrier.ids import NodeId
from netcrier.masterd.store import recovery
from netcrier.masterd.store.recovery import open_sound, recover
from netcrier.masterd.store.store import Store
from netcrier.masterd.succession import refuse_term

NODE = NodeRow(
    0, NodeId(bytes(16)), bytes(32), "node1", bytes(16), (), "approved", True, 1, "10.0.0.2", 5, ((0, 1, 0),)
)
GRANT = Grant(bytes(8), bytes(32), None, once=False)
KEYS = GroupKeys(7, bytes(range(32)), open=False)


def used(place: Path) -> Path:
    """A state directory whose master has run twice, with a node and a token; the store's path."""
    store, _ = open_sound(place)
    for _ in range(2):
        store.terms.begin_boot()
    store.group.keep_keys(KEYS)
    store.group.keep_nodes([NODE], GRANT)
    store.close()
    return place / "store.sqlite"


def test_a_first_start_makes_both_and_the_next_finds_them_though_the_first_ended_early(tmp_path: Path) -> None:
    store, first = open_sound(tmp_path)
    store.close()
    store, second = open_sound(tmp_path)
    store.close()
    assert first == second


@pytest.mark.parametrize(
    ("content", "said"), [(None, "is lost"), (b"", "is lost"), (b"garbage " * 1000, "cannot be used as a store")]
)
def test_a_broken_store_is_told_with_what_to_do(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = used(tmp_path)
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StoreError, match=f"{said}.*netctl master recover"):
        open_sound(tmp_path)
    assert (path.read_bytes() if path.exists() else None) == content


def test_a_store_that_has_lost_all_its_rows_is_told_too(tmp_path: Path) -> None:
    path = used(tmp_path)
    path.unlink()
    Store(path).close()
    with pytest.raises(StoreError, match="is empty"):
        open_sound(tmp_path)


@pytest.mark.parametrize("part", [0.0, 0.5])
def test_a_store_whose_log_was_cut_is_told_and_goes_on_in_a_new_term_with_what_it_has(
    tmp_path: Path, part: float
) -> None:
    used(tmp_path)
    store, _ = open_sound(tmp_path)
    for _ in range(9):
        store.terms.begin_boot()
    log = tmp_path / "store.sqlite-wal"
    whole = log.read_bytes()
    assert whole
    left = (tmp_path / "store.sqlite").read_bytes()
    store.close()  # as a kill would leave it: the log is not in the file yet
    (tmp_path / "store.sqlite").write_bytes(left)
    log.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(DamageError, match=r"lacks its newest \d+ commits .*netctl master recover"):
        open_sound(tmp_path)
    assert "goes on without its newest" in recover(tmp_path)
    assert len(list(tmp_path.glob("store.sqlite.broken-*Z"))) == 1
    store, _ = open_sound(tmp_path)
    assert (store.terms.recovering, store.group.nodes()) == (True, [NODE])
    assert store.terms.boots < 11
    store.close()
    with pytest.raises(UsageError, match="is sound"):
        recover(tmp_path)


def test_what_is_not_damage_is_no_reason_to_recover(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used(tmp_path)

    def full(_path: Path) -> Store:
        raise StoreError("the disk is full")

    monkeypatch.setattr(recovery, "Store", full)
    with pytest.raises(StoreError, match=r"^the disk is full$"):
        recover(tmp_path)
    assert list(tmp_path.glob("*broken*")) == []


def test_a_lost_identity_is_told_where_the_store_was_used(tmp_path: Path) -> None:
    used(tmp_path)
    (tmp_path / "identity").unlink()
    with pytest.raises(StoreError, match=r"the identity .* is lost: restore it"):
        open_sound(tmp_path)


def test_a_start_that_ended_before_the_identity_was_written_begins_again(tmp_path: Path) -> None:
    Store(tmp_path / "store.sqlite").close()
    store, _ = open_sound(tmp_path)
    store.close()


def test_recovery_keeps_what_can_be_read_and_the_broken_file(tmp_path: Path) -> None:
    path = used(tmp_path)
    before = (tmp_path / "identity").read_bytes()
    broken = path.read_bytes() + b"torn"
    broken = broken[: len(broken) // 4096 * 4096 - 4096]  # the last page is gone
    path.write_bytes(broken)
    said = recover(tmp_path)
    (aside,) = tmp_path.glob("store.sqlite.broken-*Z")
    assert aside.read_bytes() == broken
    assert aside.name in said
    assert (tmp_path / "identity").read_bytes() == before
    store, _ = open_sound(tmp_path)
    assert (store.terms.recovering, store.terms.boots) == (True, 3)
    keys = store.group.keys(0)
    assert (keys.epoch, keys.secret, keys.open) == (KEYS.epoch, KEYS.secret, False)
    assert store.group.nodes() == [NODE]
    store.close()


def test_without_anything_to_read_the_group_is_closed_under_an_epoch_that_none_has(tmp_path: Path) -> None:
    used(tmp_path).unlink()
    assert recover(tmp_path).startswith("there was no store to set aside")
    store, _ = open_sound(tmp_path)
    keys = store.group.keys(0)
    assert (store.terms.recovering, store.group.nodes(), keys.open) == (True, [], False)
    assert keys.epoch > 1_700_000_000
    store.terms.begin(5, None, [(4, 0, 9)])
    assert (store.terms.recovering, store.terms.unknown, store.terms.begin_boot()[0]) == (False, [(4, 0, 9)], 5)
    store.close()


def test_two_recoveries_keep_both_files(tmp_path: Path) -> None:
    path = used(tmp_path)
    for content in (b"first " * 1000, b"second " * 1000):
        path.write_bytes(content)
        recover(tmp_path)
    kept = [found.read_bytes()[:5] for found in tmp_path.glob("store.sqlite.broken-*") if found.stat().st_size > 100]
    assert sorted(kept) == [b"first", b"secon"]


def test_a_sound_store_is_left_alone(tmp_path: Path) -> None:
    path = used(tmp_path)
    before = path.read_bytes()
    with pytest.raises(UsageError, match="is sound; for a new term: netctl master take-over"):
        recover(tmp_path)
    assert path.read_bytes() == before
    assert list(tmp_path.glob("*broken*")) == []


def test_root_recovers_as_the_owner_of_the_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    became: list[tuple[str, object]] = []
    for name in ("setgroups", "setgid", "setuid"):
        monkeypatch.setattr(os, name, lambda value, name=name: became.append((name, value)))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    owned = os.stat_result((0o40700, 1, 1, 1, 991, 992, 0, 0, 0, 0))
    real = Path.stat
    monkeypatch.setattr(Path, "stat", lambda path, **options: owned if path == tmp_path else real(path, **options))
    used(tmp_path).unlink()
    recover(tmp_path)
    assert became == [("setgroups", []), ("setgid", 992), ("setuid", 991)]


def test_the_terms_end_some_day() -> None:
    refuse_term(2**32 - 1)
    with pytest.raises(UsageError, match="no more terms"):
        refuse_term(2**32)
