from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from netcrier_ctl import log_files
from netcrier_ctl.complaint import Failure
from netcrier_ctl.log_files import Follower, backwards, epoch, time_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "messages.log"


@pytest.fixture
def follower(path: Path) -> Iterator[Follower]:
    path.write_bytes(b"old\nto")
    following = Follower(path)
    yield following
    following.close()


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(alphabet="ab", min_size=1)), st.text(alphabet="c"))
def test_backwards_is_the_file_reversed_without_its_torn_end(path: Path, lines: list[str], torn: str) -> None:
    path.write_text("".join(f"{line}\n" for line in lines) + torn)
    with path.open("rb") as file:
        assert [line.decode() for line in backwards(file)] == lines[::-1]


def test_a_line_may_cross_blocks(path: Path) -> None:
    lines = [bytes([65 + number]) * (log_files.BLOCK - 3 + number) for number in range(5)]
    path.write_bytes(b"\n".join(lines) + b"\n")
    with path.open("rb") as file:
        assert list(backwards(file)) == lines[::-1]


def test_what_is_no_text_file_is_refused_before_it_fills_the_memory(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(log_files.LONGEST + 2 * log_files.BLOCK)
    with path.open("rb") as file, pytest.raises(Failure, match="a line of more than"):
        list(backwards(file))


def test_follows_from_the_last_whole_line(follower: Follower, path: Path) -> None:
    assert follower.lines() == []
    append(path, b"rn\nnext\n")
    assert follower.lines() == [b"torn", b"next"]


def test_half_a_line_waits_for_its_end(follower: Follower, path: Path) -> None:
    append(path, b"rn\nha")
    assert follower.lines() == [b"torn"]
    append(path, b"lf\n")
    assert follower.lines() == [b"half"]


def test_lines_written_to_the_old_file_after_the_rotation_are_not_lost(follower: Follower, path: Path) -> None:
    old = path.rename(path.with_suffix(".1"))
    append(old, b"rn\n")
    assert follower.lines() == [b"torn"]
    path.touch()
    append(old, b"late\n")
    assert follower.lines() == [b"late"]
    append(old, b"last\n")
    append(path, b"first of the new\n")
    assert follower.lines() == [b"last", b"first of the new"]
    append(path, b"second\n")
    assert follower.lines() == [b"second"]


def test_a_file_that_comes_later_is_read_from_its_beginning(path: Path) -> None:
    follower = Follower(path)
    assert follower.lines() == []
    append(path, b"first\n")
    assert follower.lines() == [b"first"]
    follower.close()


def test_a_file_that_was_cut_short_is_read_anew(follower: Follower, path: Path) -> None:
    append(path, b"rn and much more\n")
    follower.lines()
    path.write_bytes(b"new\n")
    assert follower.lines() == [b"new"]


def test_both_clocks_of_the_logs_are_read() -> None:
    assert time_of(b'{"ts":1.5}') == 1.5
    assert time_of(b'{"ts":"1970-01-01T00:00:01.500000Z"}') == 1.5
    assert epoch("1970-01-01T00:00:02Z") == 2.0


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"\xff", b'{"ts":"noon"}', b'{"ts":null}'])
def test_what_is_no_record_has_no_time(line: bytes) -> None:
    assert time_of(line) is None
