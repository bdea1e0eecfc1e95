"""SQLite with our errors: a transaction is whole, the writer keeps order."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from netcrier.errors import StoreError
from netcrier.runtime.store import Transaction, Writer, open_database

SCHEMA = "CREATE TABLE IF NOT EXISTS t(x INTEGER UNIQUE)"


def test_an_error_undoes_the_whole_transaction(tmp_path: Path) -> None:
    database = open_database(tmp_path / "db", SCHEMA)
    with pytest.raises(StoreError, match="cannot be written"), Transaction(database) as inside:
        inside.executemany("INSERT INTO t VALUES (?)", [(1,), (2,), (1,)])
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
