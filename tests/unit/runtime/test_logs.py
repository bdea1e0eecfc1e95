"""JSON logs: whole lines or none, a full disk is counted, a torn tail is cut."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from netcrier.errors import StoreError
from netcrier.runtime.archive import Archive, Rotation, rotated
from netcrier.runtime.logs import ROTATION_PAUSE, JsonLog, message_log, stamp

from tests.limits import limited_files


@pytest.fixture
def log(tmp_path: Path) -> Iterator[JsonLog]:
    opened = JsonLog(tmp_path / "messages.log")
    yield opened
    opened.close()


def _text(log: JsonLog) -> bytes:
    assert log.path is not None
    return log.path.read_bytes()


def test_lines_are_appended_whole(log: JsonLog) -> None:
    assert log.append(b'{"n":1}')
    assert log.append(b'{"n":2}')
    assert _text(log) == b'{"n":1}\n{"n":2}\n'
    assert (log.full, log.lost) == (False, 0)


@pytest.mark.parametrize("room", [0, 3])
def test_a_full_disk_is_counted_leaves_no_half_line_and_heals(log: JsonLog, room: int) -> None:
    log.append(b'{"n":1}')
    with limited_files(8 + room):
        assert not log.append(b'{"n":2}')
        assert not log.append(b'{"n":3}')
    assert _text(log) == b'{"n":1}\n'
    assert (log.full, log.lost) == (True, 2)
    assert log.append(b'{"n":4}')
    assert _text(log) == b'{"n":1}\n{"n":4}\n'
    assert (log.full, log.lost) == (False, 2)


@pytest.mark.parametrize(
    ("before", "last", "after"),
    [
        (b"", None, b""),
        (b'{"n":1}\n', b'{"n":1}', b'{"n":1}\n'),
        (b'{"n":1}\n{"n":2}\n', b'{"n":2}', b'{"n":1}\n{"n":2}\n'),
        (b'{"n":1}\n{"n":', b'{"n":1}', b'{"n":1}\n'),
        (b'{"n":', None, b""),
        (b"x" * 200_000 + b"\n" + b"y" * 200_000, b"x" * 200_000, b"x" * 200_000 + b"\n"),
    ],
)
def test_a_torn_tail_is_cut_before_the_last_line_is_read(
    tmp_path: Path, before: bytes, last: bytes | None, after: bytes
) -> None:
    path = tmp_path / "messages.log"
    path.write_bytes(before)
    log = JsonLog(path)
    assert log.last_line() == last
    assert path.read_bytes() == after
    log.append(b"{}")
    assert path.read_bytes() == after + b"{}\n"
    log.close()


def test_after_a_rotation_lines_go_to_the_new_file(log: JsonLog, tmp_path: Path) -> None:
    log.append(b'{"n":1}')
    assert log.path is not None
    log.path.rename(tmp_path / "messages.log.1")
    log.append(b'{"n":2}')
    log.reopen()
    log.append(b'{"n":3}')
    assert (tmp_path / "messages.log.1").read_bytes() == b'{"n":1}\n{"n":2}\n'
    assert _text(log) == b'{"n":3}\n'


class Clock:
    """Epoch seconds, as the test says."""

    def __init__(self) -> None:
        self.now = 1_795_564_800.0  # a midnight

    def __call__(self) -> float:
        return self.now


def _rotating(tmp_path: Path, clock: Clock, **policy: int) -> JsonLog:
    archive = Archive(tmp_path, Rotation(compression="none", **policy))
    archive.wait(10)
    return JsonLog(tmp_path / "messages.log", archive=archive, now=clock)


def _numbers(path: Path) -> list[int]:
    return [json.loads(line)["n"] for line in path.read_text().splitlines()]


def test_a_file_that_is_large_enough_is_put_aside_and_no_line_is_lost(tmp_path: Path) -> None:
    clock = Clock()
    log = _rotating(tmp_path, clock, size=30)
    for number in range(10):
        log.tick()
        log.append(b'{"n":%d}' % number)
        clock.now += 1
    log.close()
    files = [*(one.path for one in rotated(tmp_path)), tmp_path / "messages.log"]
    assert [_numbers(path) for path in files] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_a_file_holds_lines_of_one_span_of_time_across_a_restart_too(tmp_path: Path) -> None:
    clock = Clock()
    log = _rotating(tmp_path, clock, every=3600)
    log.append(b'{"n":1}')
    clock.now += 3599
    assert not log.due
    log.append(b'{"n":2}')
    log.close()
    os.utime(tmp_path / "messages.log", (clock.now, clock.now))
    clock.now += 2
    log = _rotating(tmp_path, clock, every=3600)
    log.tick()
    log.append(b'{"n":3}')
    log.close()
    (old,) = rotated(tmp_path)
    assert (_numbers(old.path), _numbers(tmp_path / "messages.log")) == ([1, 2], [3])


def test_an_empty_file_is_not_rotated(tmp_path: Path) -> None:
    clock = Clock()
    log = _rotating(tmp_path, clock, every=3600, size=1)
    clock.now += 7200
    log.tick()
    log.close()
    assert rotated(tmp_path) == []


def test_where_the_new_file_cannot_be_made_lines_go_on_in_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    log = _rotating(tmp_path, clock, size=5)
    log.append(b'{"n":1}')

    def refuse() -> None:
        raise StoreError("no room")

    monkeypatch.setattr(log, "reopen", refuse)
    log.tick()
    log.append(b'{"n":2}')
    assert not log.due
    monkeypatch.undo()
    clock.now += ROTATION_PAUSE
    log.tick()
    log.append(b'{"n":3}')
    log.close()
    (old,) = rotated(tmp_path)
    assert (_numbers(old.path), _numbers(tmp_path / "messages.log")) == ([1, 2], [3])


@pytest.mark.parametrize("room", [0, 3, 8, 11])
def test_of_many_lines_a_full_disk_takes_whole_ones(log: JsonLog, room: int) -> None:
    with limited_files(8 + room):
        taken = log.append_lines(b'{"n":1}\n{"n":2}\n{"n":3}\n')
    assert taken == 8 + room // 8 * 8
    assert log.full
    assert len(_text(log)) == taken


def test_the_message_log_cuts_a_torn_tail_when_it_is_opened(tmp_path: Path) -> None:
    (tmp_path / "messages.log").write_bytes(b'{"n":1}\n{"n":')
    message_log(tmp_path, False, Rotation()).close()
    assert (tmp_path / "messages.log").read_bytes() == b'{"n":1}\n'


def test_a_log_that_cannot_be_opened_says_what_to_change(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="NETCRIER_LOG_DIR"):
        JsonLog(tmp_path / "missing" / "messages.log")


def test_on_standard_output_each_line_names_its_log(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    log = JsonLog(None, stdout=True, name="conn")
    assert log.append(b'{"n":1}')
    assert log.append(b"{}")
    assert capfdbinary.readouterr().out == b'{"log":"conn","n":1}\n{"log":"conn"}\n'


def test_a_log_can_be_read_by_its_group_and_by_no_other(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        JsonLog(tmp_path / "messages.log").close()
    finally:
        os.umask(mask)
    assert (tmp_path / "messages.log").stat().st_mode & 0o777 == 0o640


def test_times_are_epoch_seconds_with_six_decimals_or_rfc_3339() -> None:
    assert stamp(1795484626_123457, "epoch") == 1795484626.123457
    assert stamp(1795484626_500000, "iso") == "2026-11-24T01:43:46.500000Z"
