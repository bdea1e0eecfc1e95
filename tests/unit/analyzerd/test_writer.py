"""The logs' writer: whole batches in order, a bounded queue, a disk that refuses, nothing unaccounted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from netcrier.analyzerd.logs.fresh import FreshLog
from netcrier.analyzerd.logs.writer import BATCH, LogWriter
from netcrier.errors import StoreError

from tests.limits import limited_files

LINE = b'{"n":1}\n'


class Disk:
    """A log that takes as many bytes as the test allows."""

    def __init__(self, room: int = 1 << 40) -> None:
        self.room = room
        self.held = bytearray()
        self.ticks = self.reopened = 0
        self.closed = False

    def append_lines(self, lines: bytes) -> int:
        whole = lines.rfind(b"\n", 0, min(self.room, len(lines))) + 1
        self.held += lines[:whole]
        self.room -= whole
        return whole

    def tick(self) -> None:
        self.ticks += 1

    def reopen(self) -> None:
        self.reopened += 1
        if self.reopened == 1:
            raise StoreError("not now")

    def close(self) -> None:
        self.closed = True


def soon(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_lines_of_each_log_come_in_order_and_all_are_there_at_the_end() -> None:
    logs = {"conn": Disk(), "dns": Disk()}
    writer = LogWriter(logs)
    writer.start()
    for number in range(1000):
        writer.put("conn", b"%d\n" % number)
        writer.put("dns", b"")
    writer.put("dns", b"a\nb\n")
    writer.close()
    assert logs["conn"].held == b"".join(b"%d\n" % number for number in range(1000))
    assert logs["dns"].held == b"a\nb\n"
    assert (writer.state().written, writer.state().lost, writer.state().waiting) == (1002, 0, 0)
    assert all(log.closed for log in logs.values())


def test_a_line_waits_a_second_at_most_and_a_large_batch_not_at_all() -> None:
    disk = Disk()
    writer = LogWriter({"conn": disk})
    writer.start()
    writer.put("conn", LINE)
    assert writer.state().waiting == len(LINE)
    soon(lambda: disk.held == LINE)
    writer.put("conn", LINE * (BATCH // len(LINE)))
    soon(lambda: len(disk.held) == len(LINE) + BATCH)
    writer.close()


def test_a_writer_that_does_not_count_still_writes_all_and_counts_what_is_lost() -> None:
    disk = Disk(room=len(LINE) * 3)
    writer = LogWriter({"conn": disk}, counting=False)
    writer.start()
    writer.put("conn", LINE * 5)
    writer.close()
    assert disk.held == LINE * 3
    assert (writer.state().written, writer.state().lost) == (0, 2)


def test_what_a_full_disk_refuses_waits_and_is_written_when_there_is_room() -> None:
    disk = Disk(room=3 * len(LINE) + 2)
    writer = LogWriter({"conn": disk})
    writer.start()
    writer.put("conn", LINE * 5)
    soon(lambda: writer.state().full)
    assert disk.held == LINE * 3
    assert writer.state().lag > 0
    disk.room = 1 << 20
    writer.put("conn", b"last\n")
    soon(lambda: disk.held == LINE * 5 + b"last\n")
    soon(lambda: not writer.state().full)
    writer.close()
    assert writer.state().lost == 0


def test_beyond_the_queue_lines_are_lost_counted_and_told() -> None:
    told: list[tuple[str, bytes]] = []
    disk = Disk(room=0)
    writer = LogWriter({"conn": disk}, lost=lambda log, lines: told.append((log, lines)), most=4 * len(LINE))
    writer.start()
    writer.put("conn", LINE * 4)
    writer.put("conn", b"over\n" * 2)
    assert (writer.state().lost, told) == (2, [("conn", b"over\n" * 2)])
    writer.close()
    assert (writer.state().lost, told[1:]) == (6, [("conn", LINE * 4)])


def test_a_patient_writer_makes_its_source_wait_and_loses_nothing() -> None:
    disk = Disk()
    writer = LogWriter({"conn": disk}, patient=True, most=10 * len(LINE))

    def hand_over() -> None:
        for _ in range(5):
            writer.put("conn", LINE * 4)

    source = threading.Thread(target=hand_over)
    source.start()
    source.join(0.05)
    assert source.is_alive()
    writer.start()
    source.join(20)
    writer.close()
    assert disk.held == LINE * 20


def test_a_patient_writer_does_not_wait_for_a_full_disk() -> None:
    writer = LogWriter({"conn": Disk(room=0)}, patient=True, most=len(LINE))
    writer.start()
    writer.put("conn", LINE)
    writer.put("conn", LINE)
    assert writer.state().full
    writer.close()
    assert writer.state().lost == 2


def test_a_patient_writer_waits_for_a_slow_disk_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netcrier.analyzerd.logs.writer.STOP_LIMIT", 0.01)
    goes_on = threading.Event()

    class Slow(Disk):
        def append_lines(self, lines: bytes) -> int:
            assert goes_on.wait(20)
            return super().append_lines(lines)

    disk = Slow()
    writer = LogWriter({"conn": disk}, patient=True)
    writer.start()
    writer.put("conn", LINE)
    closing = threading.Thread(target=writer.close)
    closing.start()
    closing.join(0.2)
    assert closing.is_alive()
    goes_on.set()
    closing.join(20)
    assert disk.held == LINE
    assert disk.closed


def test_reopening_comes_after_what_waits_and_a_failure_is_survived() -> None:
    disk = Disk()
    writer = LogWriter({"conn": disk})
    writer.start()
    writer.put("conn", LINE)
    writer.reopen()
    soon(lambda: disk.reopened == 1)
    assert disk.held == LINE
    writer.reopen()
    soon(lambda: disk.reopened == 2)
    writer.put("conn", LINE)
    writer.close()
    assert disk.held == LINE * 2


def test_the_log_of_a_file_s_run_begins_empty_and_ends_at_a_whole_line(
    tmp_path: Path,
) -> None:
    path = tmp_path / "conn.log"
    path.write_bytes(b"old")
    log = FreshLog(path)
    with limited_files(2 * len(LINE) + 3):
        assert log.append_lines(LINE * 4) == 2 * len(LINE)
    log.close()
    assert path.read_bytes() == LINE * 2
    assert log.failure is not None
    assert log.failure.filename == str(path)
