"""SQLite as the daemons use it: durable at every commit, one writing thread, its errors as ours.

WAL with synchronous=FULL: a commit that returned survives power loss (SQLite documentation, "PRAGMA synchronous").
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from resource import RUSAGE_THREAD, getrusage
from typing import Final, ParamSpec, TypeVar

from netcrier.errors import StoreError

QUICK: Final = 0.001
"""Seconds that a task may wait for the disk and still be done at once."""
HANDED: Final = 20
"""Tasks that are handed over for each QUICK that one has waited."""
HANDED_MOST: Final = 2000

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
    """One thread in which everything durable is done, in order; or at once by the caller, where the disk is quick.

    Handing a task over and its result back costs several times what a commit costs that waits for no disk (memory,
    a disk with a protected cache). So a caller may do a task itself while nothing is handed over; one that had to wait
    sends as many of the next ones to the thread as make its wait negligible, then the disk is tried again.
    """

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._handed = 0
        self._to_hand = 0

    @property
    def quick(self) -> bool:
        """Whether `at_once` may be called now."""
        return not self._handed and not self._to_hand

    def at_once(self, task: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Do it here and now."""
        assert self.quick
        began, switches = time.monotonic(), getrusage(RUSAGE_THREAD).ru_nvcsw
        try:
            return task(*args, **kwargs)
        finally:
            took = time.monotonic() - began
            # A thread that was only preempted did not wait: the switch was not its own.
            if took > QUICK and getrusage(RUSAGE_THREAD).ru_nvcsw > switches:
                self._to_hand = min(int(took / QUICK) * HANDED, HANDED_MOST)

    async def run(self, task: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Do it in the thread, after all that was given before."""
        self._handed += 1
        self._to_hand = max(0, self._to_hand - 1)
        try:
            return await asyncio.wrap_future(self._pool.submit(task, *args, **kwargs))
        finally:
            self._handed -= 1

    def close(self) -> None:
        """Finish what was given."""
        self._pool.shutdown()
