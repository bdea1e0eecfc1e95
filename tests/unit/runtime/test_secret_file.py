"""A secret is replaced as a whole and only its owner reads it."""

from __future__ import annotations

from pathlib import Path

import pytest
from netcrier.errors import StoreError
from netcrier.runtime.secret_file import read_secret, write_secret


def test_what_is_written_is_read_and_only_the_owner_may(tmp_path: Path) -> None:
    path = tmp_path / "new" / "secret"
    assert read_secret(path) is None
    write_secret(path, b"one")
    write_secret(path, b"two")
    assert read_secret(path) == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["secret"]


def test_what_cannot_be_read_or_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        read_secret(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="cannot be written"):
        write_secret(tmp_path / "file" / "secret", b"x")
