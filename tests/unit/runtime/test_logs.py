"""JSON logs: whole lines or none, a full disk is counted, a torn tail is cut."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from netcrier.errors import StoreError
from netcrier.runtime.logs import JsonLog, stamp


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
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8 + room, hard))
    try:
        assert not log.append(b'{"n":2}')
        assert not log.append(b'{"n":3}')
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
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
    assert stamp(1795484626.12345678, "epoch") == 1795484626.123457
    assert stamp(1795484626.5, "iso") == "2026-11-24T01:43:46.500000Z"
