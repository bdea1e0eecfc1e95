"""Which messages still have handlers to run, and how far each has come: rows of the journal's database.

Rules:
- A message gets its row in the commit that makes it deliverable, and only where handlers were there at that time: a
  handler that is put there later runs for what comes then.
- A handler is marked as running before it is started. A mark that is found at start is a run whose end nobody knows.
- At most WAITING_MAX messages of a lane wait, with a part of the bytes that the journal keeps; those beyond are told as
  `busy` at once. A message that waits stays in the journal, however old.
"""

from __future__ import annotations

import sqlite3
from typing import Final

import msgspec

from netcrier.errors import StoreError
from netcrier.ids import LANES, MessageId

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS run(
    n INTEGER PRIMARY KEY, lane INTEGER, handler TEXT, running INTEGER, code INTEGER, size INTEGER);
CREATE INDEX IF NOT EXISTS run_of_lane ON run(lane, n);
"""
WAITING_MAX: Final = 1000
"""Messages of a lane whose handlers have not ended. Beyond: the message is not handled, and told as such (`busy`)."""


class Due(msgspec.Struct, frozen=True):
    """The next message of a lane. `handler`: the last one begun, empty for none; `running`: it has not ended;
    `code`: the first that was not 0 of those that have ended, 0 where all were, None where none has."""

    n: int
    handler: str
    running: bool
    code: int | None


class RunBook:
    """See the module. `database` is the journal's, used by its thread; `waiting_bytes`: bodies that wait in a lane."""

    def __init__(self, database: sqlite3.Connection, waiting_bytes: int) -> None:
        self._database, self._waiting_bytes = database, waiting_bytes
        self.waiting: dict[int, int] = {}
        """Messages of each lane whose handlers have not ended, as of the last commit."""
        self.count()

    def enlist(self, after: int) -> list[MessageId]:
        """Within a transaction: messages with n > `after` are to be handled; those for which there is no room."""
        query = "SELECT n, term, lane, sequence, length(body) FROM message WHERE n > ? AND told IS NULL ORDER BY n"
        there = dict.fromkeys(LANES, (0, 0)) | {lane: (count, size) for lane, count, size in self._counted()}
        beyond = []
        for n, term, lane, sequence, size in self._database.execute(query, (after,)).fetchall():
            count, waiting = there[lane]
            if count < WAITING_MAX and waiting + size <= self._waiting_bytes:
                there[lane] = (count + 1, waiting + size)
                self._database.execute("INSERT INTO run VALUES (?, ?, '', 0, NULL, ?)", (n, lane, size))
            else:
                beyond.append(MessageId(term, lane, sequence))
        return beyond

    def next(self, lane: int) -> Due | None:
        """The message that is to go on, the lowest of its lane. StoreError."""
        query = "SELECT n, handler, running, code FROM run WHERE lane = ? ORDER BY n LIMIT 1"
        try:
            row = self._database.execute(query, (lane,)).fetchone()
        except sqlite3.Error as error:
            raise StoreError(f"the journal cannot be read: {error}") from error
        return Due(row[0], row[1], bool(row[2]), row[3]) if row else None

    def mark(self, due: Due) -> None:
        """Within a transaction: how far a message has come."""
        self._database.execute(
            "UPDATE run SET handler = ?, running = ?, code = ? WHERE n = ?",
            (due.handler, due.running, due.code, due.n),
        )

    def end(self, n: int) -> None:
        """Within a transaction: nothing more is to be run for it."""
        self._database.execute("DELETE FROM run WHERE n = ?", (n,))

    def count(self) -> None:
        """After a commit: take `waiting` from what is there."""
        self.waiting = dict.fromkeys(LANES, 0) | {lane: count for lane, count, _ in self._counted()}

    def _counted(self) -> list[tuple[int, int, int]]:
        """Lane, messages, bytes."""
        query = "SELECT lane, count(*), sum(size) FROM run GROUP BY lane"
        return self._database.execute(query).fetchall()
