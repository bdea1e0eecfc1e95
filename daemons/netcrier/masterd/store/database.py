"""The file of the master's store: its tables, its commits and how many there were.

One connection writes, from one thread; another reads and may be used by a second one. Of what there is one of (the
term, the group key), `meta` has the value by name. What the tables mean: messages.py, outcomes.py, group.py, terms.py.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from netcrier.errors import StoreError
from netcrier.masterd.store.watermark import Watermark
from netcrier.runtime.store import Transaction, open_database, open_reader

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS message(
    number INTEGER PRIMARY KEY, term INTEGER, lane INTEGER, sequence INTEGER, signed BLOB, digest BLOB, chain BLOB,
    sent_us INTEGER, size INTEGER, selector TEXT, expires_us INTEGER, UNIQUE(term, lane, sequence));
CREATE TABLE IF NOT EXISTS body(message INTEGER PRIMARY KEY, data BLOB);
CREATE TABLE IF NOT EXISTS delivery(
    message INTEGER, node INTEGER, state INTEGER, after_us INTEGER, last_us INTEGER, code INTEGER, repeats INTEGER,
    unexpected INTEGER, PRIMARY KEY(message, node)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS gap ON delivery(node) WHERE state = 7;
CREATE TABLE IF NOT EXISTS request(
    id TEXT PRIMARY KEY, term INTEGER, lane INTEGER, sequence INTEGER, sent_us INTEGER) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS request_age ON request(sent_us);
CREATE TABLE IF NOT EXISTS base(
    term INTEGER, lane INTEGER, sequence INTEGER, chain BLOB, PRIMARY KEY(term, lane)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS node(number INTEGER PRIMARY KEY, id BLOB UNIQUE, row BLOB);
CREATE TABLE IF NOT EXISTS grant_(id BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID;
"""


class Database:
    """See the module. DamageError where the file is damaged, StoreError where it cannot be read or written."""

    def __init__(self, path: Path) -> None:
        self._writer = open_database(path, _SCHEMA)
        self._reader = open_reader(path)
        self._path = path
        self._watermark = Watermark(path)
        self._commits = self.number("commits", 0)
        self.lost = max(0, self._watermark.read() - self._commits)
        """Commits that the file has had and has no more."""

    def read(self, query: str, *values: str | int) -> list[tuple[Any, ...]]:
        """The rows of a query, as they were committed."""
        try:
            return self._reader.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"{self._path} cannot be read: {error}") from error

    @contextmanager
    def written(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is counted: all of it is on disk at the end, or nothing."""
        with Transaction(self._writer) as connection:
            yield connection
            put(connection, "commits", self._commits + 1)
        self._commits += 1
        self._watermark.write(self._commits)

    def count_lost(self) -> None:
        """The next commit counts on from those that are lost, which is then settled."""
        self._commits += self.lost
        self.lost = 0

    def number(self, key: str, default: int) -> int:
        """A number of `meta`."""
        value = self._value(key)
        return value if isinstance(value, int) else default

    def octets(self, key: str) -> bytes:
        """A byte string of `meta`; empty where there is none."""
        value = self._value(key)
        return value if isinstance(value, bytes) else b""

    def close(self) -> None:
        """Nothing is pending: every commit was made whole."""
        self._watermark.close()
        self._reader.close()
        self._writer.close()

    def _value(self, key: str) -> bytes | int | None:
        rows = self.read("SELECT value FROM meta WHERE key = ?", key)
        return rows[0][0] if rows else None


def put(connection: sqlite3.Connection, key: str, value: bytes | int) -> None:
    """A value of `meta`, in the caller's transaction."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
