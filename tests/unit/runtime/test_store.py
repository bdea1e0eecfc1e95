"""SQLite with our errors: a transaction is whole, the writer keeps order."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from netcrier.errors import StoreError
from netcrier.runtime.store import HANDED, HANDED_MOST, QUICK, Transaction, Writer, open_database

SCHEMA = "CREATE TABLE IF NOT EXISTS t(x INTEGER UNIQUE)"


@pytest.mark.parametrize("last", [1, 1 << 63])
def test_an_error_undoes_the_whole_transaction(last: int, tmp_path: Path) -> None:
    database = open_database(tmp_path / "db", SCHEMA)
    with pytest.raises(StoreError, match="cannot be written"), Transaction(database) as inside:
        inside.executemany("INSERT INTO t VALUES (?)", [(1,), (2,), (last,)])
    assert database.execute("SELECT count(*) FROM t").fetchone() == (0,)
    database.close()


def test_the_file_is_the_owners_alone_and_durable_at_every_commit(tmp_path: Path) -> None:
    database = open_database(tmp_path / "db", SCHEMA)
    assert (tmp_path / "db").stat().st_mode & 0o777 == 0o600
    assert database.execute("PRAGMA synchronous").fetchone() == (2,)
    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    database.close()


def test_a_directory_in_its_place_is_said(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    with pytest.raises(StoreError):
        open_database(tmp_path / "db", SCHEMA)


def test_the_writer_does_things_in_order_and_passes_errors_on() -> None:
    done: list[int] = []

    def fail() -> None:
        raise StoreError("full")

    async def go() -> None:
        writer = Writer("test")
        await asyncio.gather(*(writer.run(done.append, number) for number in range(50)))
        with pytest.raises(StoreError, match="full"):
            await writer.run(fail)
        writer.close()

    asyncio.run(go())
    assert done == list(range(50))


def test_a_quick_task_is_done_at_once_and_in_order_with_what_was_handed_over() -> None:
    done: list[int] = []

    async def go() -> None:
        writer = Writer("test")
        assert writer.quick
        writer.at_once(done.append, 1)
        handed = asyncio.ensure_future(writer.run(done.append, 2))
        await asyncio.sleep(0)
        assert not writer.quick
        await handed
        assert writer.quick
        writer.at_once(done.append, 3)
        writer.close()

    asyncio.run(go())
    assert done == [1, 2, 3]


def test_after_a_task_that_waited_for_the_disk_the_next_ones_are_handed_over() -> None:
    async def go() -> int:
        writer = Writer("test")
        with pytest.raises(StoreError):
            writer.at_once(wait_for_the_disk)
        handed = 0
        while not writer.quick:
            await writer.run(int)
            handed += 1
        writer.close()
        return handed

    def wait_for_the_disk() -> None:
        time.sleep(0.0035)
        raise StoreError("full")

    handed = asyncio.run(go())
    assert HANDED * 3 <= handed <= HANDED_MOST


def test_a_task_that_works_for_long_without_waiting_is_not_taken_for_a_slow_disk() -> None:
    def work() -> None:
        end = time.thread_time() + 2 * QUICK
        while time.thread_time() < end:
            pass

    writer = Writer("test")
    writer.at_once(work)
    assert writer.quick
    writer.close()
