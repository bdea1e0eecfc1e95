"""A node is the same after a restart, another on another machine, and its boot number only rises."""

from __future__ import annotations

from pathlib import Path

import pytest
from netcrier.core.events import Pin
from netcrier.errors import StoreError
from netcrier.ids import GroupId
from netcrier.noded import identity

HERE, THERE = b"h" * 16, b"t" * 16
PIN = Pin(GroupId(b"groupgrp"), b"s" * 32, b"a" * 32, "lab", "token", (b"i" * 8, b"e" * 32))


def test_key_and_pin_stay_and_the_boot_number_rises(tmp_path: Path) -> None:
    path = tmp_path / "identity"
    first = identity.begin(path, HERE, keep=False)
    identity.keep_pin(path, first, PIN)
    second = identity.begin(path, HERE, keep=False)
    assert (second.key, second.boot, second.pin, second.cloned) == (first.key, 2, PIN, False)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_copy_on_another_machine_gets_a_new_key(tmp_path: Path) -> None:
    path = tmp_path / "identity"
    first = identity.begin(path, HERE, keep=False)
    copy = identity.begin(path, THERE, keep=False)
    assert copy.key != first.key
    assert copy.cloned


def test_keep_holds_on_to_the_key(tmp_path: Path) -> None:
    path = tmp_path / "identity"
    first = identity.begin(path, HERE, keep=True)
    assert identity.begin(path, THERE, keep=True).key == first.key


def test_a_damaged_file_is_said(tmp_path: Path) -> None:
    path = tmp_path / "identity"
    path.write_bytes(b"{")
    with pytest.raises(StoreError, match="damaged"):
        identity.begin(path, HERE, keep=False)


def test_a_machine_without_an_id_has_zeros(tmp_path: Path) -> None:
    assert identity.machine_of(tmp_path / "none") == bytes(16)
    (tmp_path / "id").write_text("0123456789abcdef0123456789abcdef\n")
    assert any(identity.machine_of(tmp_path / "id"))
