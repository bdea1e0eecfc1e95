"""SQLite as the daemons use it: durable at every commit, one writing thread, its errors as ours.

WAL with synchronous=FULL: a commit that returned survives power loss (SQLite documentation, "PRAGMA synchronous").
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from netcrier.errors import StoreError

_P = ParamSpec("_P")
_T = TypeVar("_T")


def open_database(path: Path, schema: str) -> sqlite3.Connection:
    """A connection that any one thread at a time may use; StoreError where the file is damaged or cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        answer = database.execute("PRAGMA quick_check(1)").fetchone()[0]
        if answer != "ok":
            raise StoreError(f"{path} is damaged: {answer}. Keep a copy, then restore it from a backup.")
        database.executescript(schema)
    except sqlite3.DatabaseError as error:
        raise StoreError(
            f"{path} cannot be used as a store: {error}. Keep a copy, then restore it from a backup."
        ) from error
    except OSError as error:
        raise StoreError(f"{path} cannot be opened: {error.strerror}") from error
    return database


class Transaction:
    """`with Transaction(database):` commits at the end, or rolls back and raises StoreError."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __enter__(self) -> sqlite3.Connection:
        try:
            self._database.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise StoreError(f"the store cannot be written: {error}") from error
        return self._database

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            self._database.execute("ROLLBACK" if kind else "COMMIT")
        except sqlite3.Error as failure:
            if self._database.in_transaction:
                self._database.rollback()
            raise StoreError(f"the store cannot be written: {failure}") from failure
        if isinstance(error, sqlite3.Error):
            raise StoreError(f"the store cannot be written: {error}") from error


class Writer:
    """One thread in which everything durable is done, in order."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def run(self, task: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Do it after all that was given before."""
        return await asyncio.wrap_future(self._pool.submit(task, *args, **kwargs))

    def close(self) -> None:
        """Finish what was given."""
        self._pool.shutdown()
