"""A store that lies where its last run left it is told from a copy, a restored backup and another's."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from netcrier.errors import ConfigError
from netcrier.masterd.store import whereabouts
from netcrier.masterd.store.whereabouts import Whereabouts, lock


def store(place: Path) -> Path:
    place.mkdir()
    path = place / "store.sqlite"
    path.write_bytes(b"x")
    return path


def test_where_it_was_left_it_is_the_same(tmp_path: Path) -> None:
    path = store(tmp_path / "a")
    left = Whereabouts(path, tmp_path / "mark").renew()
    assert Whereabouts(path, tmp_path / "mark").now() == left


def test_where_the_boot_is_hidden_no_store_is_known_to_be_where_it_was_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store(tmp_path / "a")
    monkeypatch.setattr(whereabouts, "_KERNEL_BOOT", tmp_path / "absent")
    left = Whereabouts(path, tmp_path / "mark").renew()
    assert Whereabouts(path, tmp_path / "mark").now() != left


def test_a_copy_is_elsewhere_also_with_the_mark(tmp_path: Path) -> None:
    path = store(tmp_path / "a")
    left = Whereabouts(path, tmp_path / "mark").renew()
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert Whereabouts(tmp_path / "b" / "store.sqlite", tmp_path / "mark").now() != left


def test_an_older_state_of_the_same_file_is_not_the_same(tmp_path: Path) -> None:
    path = store(tmp_path / "a")
    older = Whereabouts(path, tmp_path / "mark").renew()
    Whereabouts(path, tmp_path / "mark").renew()
    assert Whereabouts(path, tmp_path / "mark").now() != older


def test_a_backup_that_is_laid_over_the_same_file_is_not_the_same(tmp_path: Path) -> None:
    path = store(tmp_path / "a")
    kept = Whereabouts(path, tmp_path / "mark").renew()  # in the backup, as the whole directory is
    Whereabouts(path, tmp_path / "mark").renew()  # by a later run
    path.write_bytes(b"the backup")
    assert Whereabouts(path, tmp_path / "mark").now() != kept


def test_a_mark_that_is_lost_or_cannot_be_kept_is_never_the_same(tmp_path: Path) -> None:
    path = store(tmp_path / "a")
    here = Whereabouts(path, tmp_path / "mark")
    left = here.renew()
    (tmp_path / "mark").unlink()
    assert here.now() != left
    (tmp_path / "mark").mkdir()
    assert here.renew() == b""
    assert here.now() != b""


def test_another_boot_of_the_kernel_is_not_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = store(tmp_path / "a")
    left = Whereabouts(path, tmp_path / "mark").renew()
    boot = tmp_path / "boot_id"
    boot.write_text("another")
    monkeypatch.setattr(whereabouts, "_KERNEL_BOOT", boot)
    assert Whereabouts(path, tmp_path / "mark").now() != left


def test_one_state_is_for_one_daemon(tmp_path: Path) -> None:
    holder = lock(tmp_path)
    with pytest.raises(ConfigError, match="is used by another masterd"):
        lock(tmp_path)
    os.close(holder)
    os.close(lock(tmp_path))
