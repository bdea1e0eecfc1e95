"""SQLite as the daemons use it: durable at every commit, one writing thread, its errors as ours.

WAL with synchronous=FULL: a commit that returned survives power loss (SQLite documentation, "PRAGMA synchronous").
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from resource import RUSAGE_THREAD, getrusage
from typing import Final, ParamSpec, TypeVar

from netcrier.errors import DamageError, StoreError
from netcrier.runtime.faults import point

BESIDE: Final = ("", "-wal", "-shm")
"""The ends of the names of a database's files."""
_HEADER_SIZE: Final = 100
_MAGIC: Final = b"SQLite format 3\0"
_DAMAGE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

QUICK: Final = 0.001
"""Seconds that a task may wait for the disk and still be done at once."""
HANDED: Final = 20
"""Tasks that are handed over for each QUICK that one has waited."""
HANDED_MOST: Final = 2000
CACHE_KIB: Final = 256
"""Of pages that a connection keeps in memory: what is used again and again fits; a long message passes through."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


def open_database(path: Path, schema: str) -> sqlite3.Connection:
    """A connection that any one thread at a time may use; DamageError where the file is damaged,
    StoreError where it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        _refuse_cut(path)
        database = _connected(path)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        answer = database.execute("PRAGMA quick_check(1)").fetchone()[0]
        if answer != "ok":
            raise DamageError(f"{path} is damaged: {answer}")
        database.executescript(schema)
    except sqlite3.DatabaseError as error:
        kind = DamageError if error.sqlite_errorcode & 0xFF in _DAMAGE else StoreError
        raise kind(f"{path} cannot be used as a store: {error}") from error
    except OSError as error:
        raise StoreError(f"{path} cannot be opened: {error.strerror}") from error
    return database


def open_reader(path: Path) -> sqlite3.Connection:
    """Another connection to a database that is open, and so was looked through; StoreError."""
    try:
        return _connected(path)
    except sqlite3.Error as error:
        raise StoreError(f"{path} cannot be read: {error}") from error


def _connected(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    database.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    return database


def _refuse_cut(path: Path) -> None:
    """DamageError where the file is shorter than its header says: SQLite reads what lacks of a page as zeros.

    While a write-ahead log lies beside it that may be so (SQLite file format, sections 1.3.7 and 4.3).
    """
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        return
    size = path.stat().st_size
    with path.open("rb") as file:
        header = file.read(_HEADER_SIZE)
    if not size or (len(header) == _HEADER_SIZE and not header.startswith(_MAGIC)):
        return  # SQLite itself says what is wrong
    page = int.from_bytes(header[16:18], "big")
    whole = int.from_bytes(header[28:32], "big") * (65536 if page == 1 else page)
    if len(header) < _HEADER_SIZE or size < whole:
        raise DamageError(f"{path} is cut short: it has {size:,} bytes")


def aside_of(path: Path) -> Path:
    """A name beside a database for what is left of it, that no file has."""
    aside = path.with_name(f"{path.name}.broken-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
    number = 1
    while aside.exists():
        number += 1
        aside = aside.with_name(f"{aside.name.partition('~')[0]}~{number}")
    return aside


def set_aside(path: Path) -> Path:
    """Rename a database and what lies beside it; the new path. StoreError where the disk refuses."""
    aside = aside_of(path)
    try:
        for end in BESIDE:
            source = path.with_name(path.name + end)
            if source.exists():
                source.rename(aside.with_name(aside.name + end))
    except OSError as error:
        raise StoreError(f"{path} cannot be set aside: {error.strerror}") from error
    return aside


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
            if kind:
                self._database.execute("ROLLBACK")
            else:
                _commit(self._database, "COMMIT")
        except sqlite3.Error as failure:
            if self._database.in_transaction:
                self._database.rollback()
            raise StoreError(f"the store cannot be written: {failure}") from failure
        if isinstance(error, (sqlite3.Error, OverflowError)):  # the latter: a number of a peer that has no place there
            raise StoreError(f"the store cannot be written: {error}") from error


def number(database: sqlite3.Connection, query: str, *values: int) -> int:
    """The one number that a query gives; 0 for none."""
    return int(database.execute(query, values).fetchone()[0] or 0)


def write(database: sqlite3.Connection, statement: str, values: Sequence[object]) -> None:
    """A transaction of one statement, or StoreError."""
    try:
        _commit(database, statement, values)
    except (sqlite3.Error, OverflowError) as error:
        raise StoreError(f"the store cannot be written: {error}") from error


def _commit(database: sqlite3.Connection, statement: str, values: Sequence[object] = ()) -> None:
    """The step that makes it durable."""
    point("any: before commit")
    database.execute(statement, values)
    point("any: after commit")


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
