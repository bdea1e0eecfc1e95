"""Rotated logs: compressed whole or not at all, in the order of their age, within a budget."""

from __future__ import annotations

import gzip
import os
import sys
from pathlib import Path

import pytest
import zstandard
from netcrier.errors import ConfigError
from netcrier.runtime.archive import Archive, Rotation, compressor, rotated, rotated_name

LINES = b'{"n":1}\n' * 1000


def settle(folder: Path, rotation: Rotation) -> Archive:
    """What a start does, to its end."""
    archive = Archive(folder, rotation)
    archive.wait(30)
    return archive


def put(folder: Path, at: float, lines: bytes = LINES, log: str = "conn.log") -> Path:
    """A file that was rotated away at a time and not compressed yet."""
    path = folder / rotated_name(log, at)
    path.write_bytes(lines)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_rotated_file_is_named_for_the_time_at_which_it_was_closed() -> None:
    assert rotated_name("conn.log", 1795484626.5) == "conn.log-20261124T014346.500000Z"


def test_zstd_is_chosen_where_it_is_installed(tmp_path: Path) -> None:
    path = put(tmp_path, 1)
    os.utime(path, (7, 7))
    settle(tmp_path, Rotation())
    (one,) = rotated(tmp_path)
    assert one.path.name == f"{path.name}.zst"
    assert zstandard.ZstdDecompressor().decompressobj().decompress(one.path.read_bytes()) == LINES
    assert (one.path.stat().st_mtime, one.path.stat().st_mode & 0o777) == (7, 0o640)


def test_without_zstandard_it_is_gzip_and_asking_for_zstd_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    path = put(tmp_path, 1)
    settle(tmp_path, Rotation())
    assert gzip.decompress(path.with_name(f"{path.name}.gz").read_bytes()) == LINES
    assert len(names(tmp_path)) == 1
    with pytest.raises(ConfigError, match=r"pip install 'netcrier\[compress\]'"):
        compressor("zstd")


def test_none_leaves_files_as_they_are(tmp_path: Path) -> None:
    path = put(tmp_path, 1)
    settle(tmp_path, Rotation(compression="none"))
    assert path.read_bytes() == LINES


def test_a_start_finishes_what_a_crash_left_over(tmp_path: Path) -> None:
    torn, both = put(tmp_path, 1), put(tmp_path, 2)
    torn.with_name(f"{torn.name}.gz.part").write_bytes(b"half")
    both.with_name(f"{both.name}.gz").write_bytes(gzip.compress(LINES))
    settle(tmp_path, Rotation(compression="gzip"))
    assert names(tmp_path) == [f"{torn.name}.gz", f"{both.name}.gz"]


def test_beyond_the_budget_the_oldest_go_of_whatever_log(tmp_path: Path) -> None:
    (tmp_path / "conn.log").write_bytes(bytes(500))
    paths = [put(tmp_path, at, bytes(1000), log) for at, log in ((3, "dns.log"), (1, "dns.log"), (2, "conn.log"))]
    archive = settle(tmp_path, Rotation(budget=1600, compression="none"))
    assert names(tmp_path) == ["conn.log", paths[0].name]
    assert archive.removed == 2


def test_the_log_that_is_written_never_goes(tmp_path: Path) -> None:
    (tmp_path / "conn.log").write_bytes(bytes(5000))
    put(tmp_path, 1, bytes(10))
    settle(tmp_path, Rotation(budget=100, compression="none"))
    assert names(tmp_path) == ["conn.log"]


def test_what_cannot_be_compressed_stays_and_the_reason_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(tmp_path, 1)

    def fail(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    archive = settle(tmp_path, Rotation())
    assert "No space left" in archive.failure
    assert names(tmp_path) == [path.name]
    monkeypatch.undo()
    archive.tidy()
    archive.wait(30)
    assert archive.failure == ""
    assert [one.plain for one in rotated(tmp_path)] == [False]
