"""`analyzerd --read` as a process that is told to stop: what was read is logged, and it says how much."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.unit.analyzerd import frames
from tests.unit.analyzerd.frames import CLIENT, SECOND, SERVER

PATIENCE = 30.0

OVER = [(SECOND * at, frames.udp(CLIENT, 4000 + at, SERVER, 53, b"over")) for at in range(1, 200)]
OPEN = [(SECOND * 300 + at, frames.udp(CLIENT, 5000 + at, SERVER, 53, b"open")) for at in range(50)]
"""Conversations that are over when OPEN comes, and ones that are open when no more does."""


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.01)


@pytest.fixture
def reading(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "netcrier.analyzerd", "--read", "-", "--log-dir", str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        yield process
        process.kill()


def hears(process: subprocess.Popen[bytes], number: int) -> bool:
    """Whether it has a handler for this signal."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught, 16) >> number - 1 & 1)


def give(process: subprocess.Popen[bytes], data: bytes) -> None:
    stdin: IO[bytes] | None = process.stdin
    assert stdin
    stdin.write(data)
    stdin.flush()


def ended(process: subprocess.Popen[bytes]) -> tuple[int, list[str]]:
    """Its status and what it said, while its standard input is still open."""
    status = process.wait(PATIENCE)
    assert process.stderr
    return status, process.stderr.read().decode().splitlines()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_was_read_before_a_signal_is_logged_open_conversations_too(
    reading: subprocess.Popen[bytes], tmp_path: Path, number: signal.Signals
) -> None:
    give(reading, frames.pcap(OVER + OPEN))
    log = tmp_path / "conn.log"
    until(lambda: log.exists() and log.stat().st_size > 0)
    reading.send_signal(number)
    status, said = ended(reading)
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    assert status == 128 + number
    assert said == [f"analyzerd: {number.name}: stopped in standard input; 249 packets read are logged"]
    assert sorted(row["id.orig_p"] for row in rows) == [*range(4001, 4200), *range(5000, 5050)]


def test_a_signal_ends_it_where_nothing_has_come_yet(reading: subprocess.Popen[bytes], tmp_path: Path) -> None:
    until(lambda: hears(reading, signal.SIGTERM))
    reading.send_signal(signal.SIGTERM)
    status, said = ended(reading)
    assert status == 143
    assert said == ["analyzerd: SIGTERM: stopped in standard input at 0%; 0 packets read are logged"]
    assert (tmp_path / "conn.log").read_bytes() == b""
