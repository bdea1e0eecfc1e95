"""The node's journal: every message once, in SQLite, before its receipt; the log is written from it.

`n` numbers the deliverable messages in the order in which they became so, without a gap, and among them the runs of
messages that the node is without for good (`told` says why, `last` how far). Those that wait for others, or are
refused, have one below 0 meanwhile. The newest `n` never leaves the journal.
The log's last line tells how far it has come; `entries` gives the rest, whatever stopped it: a crash, a full disk, or
nothing at all.

A commit is what a node spends most of its time with: it takes few statements and changes few pages.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path

import msgspec

from netcrier.core.node.batch import Batch, Lane, Passed
from netcrier.core.node.hearing import Membership
from netcrier.core.node.kept import Kept
from netcrier.core.outcomes import Untold
from netcrier.errors import StoreError
from netcrier.ids import LANES, MasterId, MessageId
from netcrier.noded.journal.entry import INSERT, SELECT, Entry, entry_of, place_of, released_entry, row_of
from netcrier.noded.journal.entry import SCHEMA as ENTRY_SCHEMA
from netcrier.noded.journal.left_book import SCHEMA as LEFT_SCHEMA
from netcrier.noded.journal.left_book import LeftBook
from netcrier.noded.journal.question_book import SCHEMA as QUESTION_SCHEMA
from netcrier.noded.journal.question_book import QuestionBook
from netcrier.noded.journal.run_book import SCHEMA as RUN_SCHEMA
from netcrier.noded.journal.run_book import Due, RunBook
from netcrier.runtime.store import Transaction, open_database
from netcrier.runtime.udp import clock_us
from netcrier.wire.envelope import Digest
from netcrier.wire.handled import Code
from netcrier.wire.report import Outcome, Told

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lane(
    master BLOB, lane INTEGER, term INTEGER, mark INTEGER, chain BLOB, logged INTEGER, PRIMARY KEY(master, lane));
CREATE TABLE IF NOT EXISTS outcome(
    master BLOB, term INTEGER, lane INTEGER, sequence INTEGER, told INTEGER, code INTEGER,
    PRIMARY KEY(master, term, lane, sequence, told)) WITHOUT ROWID;
"""
KEPT_MESSAGES = 10_000
"""Messages below the newest `n` that stay in the journal, for `netctl messages`; a few more until it is worth it, and
all that the log has not taken."""
_FORGET_EACH = 100
_PLACE_MOST = (1 << 63) - 1
KEPT_BYTES = 256 << 20
"""Bytes of all bodies in the journal: beyond, the oldest that are logged leave it. Where the log takes nothing, twice
as many; then the journal refuses, and messages are asked for again."""
UNLOGGED_MESSAGES = 100_000
"""Messages that the log has not taken, as on a full disk, however short: beyond, the journal refuses as well, and to
the master they are `pending`."""
READ_BYTES = 4 << 20
"""Bytes of bodies that are read at once, a last one beyond it."""


def _handled(message: MessageId, code: int) -> Untold:
    return Untold(message.term, Outcome(message.lane, message.sequence, Told.HANDLED, code))


_PUT_LANE = """INSERT INTO lane VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT(master, lane) DO UPDATE SET
    term = excluded.term, mark = excluded.mark, chain = excluded.chain, logged = excluded.logged"""
_NOT_NEEDED = "n BETWEEN 1 AND ? AND n NOT IN (SELECT n FROM run)"


class Journal:
    """See the module. Used by one thread at a time."""

    def __init__(self, path: Path, kept_bytes: int = KEPT_BYTES, unlogged: int = UNLOGGED_MESSAGES) -> None:
        self._database = open_database(path, _SCHEMA + ENTRY_SCHEMA + LEFT_SCHEMA + QUESTION_SCHEMA + RUN_SCHEMA)
        self._kept_bytes, self._unlogged = kept_bytes, unlogged
        self._bytes = self._number("SELECT sum(length(body)) FROM message")
        self._path = path
        self.questions = QuestionBook(self._database)
        self.left = LeftBook(self._database)
        self.runs = RunBook(self._database, kept_bytes // 4)
        begun = int(self._meta("begun") or 0)
        self.newest = max(begun, self._number("SELECT max(n) FROM message"))
        self.logged = max(begun, self._number("SELECT max(logged) FROM lane"))
        self._waiting = min(0, self._number("SELECT min(n) FROM message"))
        self._forgotten = 0
        self._withholding = set(LANES)
        """Lanes of which rows may be refused."""
        self._fresh: list[Entry] = []

    def begin_at(self, n: int) -> None:
        """A new journal goes on behind this number: an earlier one has given it away."""
        with Transaction(self._database) as database:
            self._put_meta(database, "begun", n)
        self.newest = self.logged = n

    def kept(self, master: MasterId) -> Kept:
        """All but messages."""
        untold = tuple(self.untold(master))
        logged, left = self.logged == self.newest, self.left.of(master)
        return Kept(self.membership(master), self.lanes(master), untold, logged, left)

    def membership(self, master: MasterId) -> Membership:
        """The group's keys and the master's highest numbers."""
        value = self._meta(f"membership {master.hex()}")
        return msgspec.msgpack.decode(value, type=Membership) if value else Membership()

    def lanes(self, master: MasterId) -> tuple[Lane, ...]:
        """Every lane of this master as the last commit left it."""
        lanes = []
        for lane, term, mark, chain in self._database.execute(
            "SELECT lane, term, mark, chain FROM lane WHERE master = ?", (master,)
        ):
            held = self._database.execute(
                "SELECT sequence, digest, told FROM message"
                " WHERE master = ? AND lane = ? AND term = ? AND sequence > ? ORDER BY sequence",
                (master, lane, term, mark),
            ).fetchall()
            digests = tuple((sequence, Digest(digest)) for sequence, digest, _ in held)
            withheld = tuple((sequence, Told(told)) for sequence, _, told in held if told is not None)
            lanes.append(Lane(lane, term, mark, Digest(chain), digests, withheld))
        return tuple(lanes)

    def keep_membership(self, master: MasterId, membership: Membership, starts: tuple[Lane, ...]) -> None:
        """Keys and numbers; a lane's starting point is kept only where the journal has none in that term."""
        with Transaction(self._database) as database:
            self._put_meta(database, f"membership {master.hex()}", msgspec.msgpack.encode(membership))
            database.executemany(
                f"{_PUT_LANE} WHERE excluded.term > term",
                [(master, lane.lane, lane.term, lane.mark, lane.chain, self.logged) for lane in starts],
            )

    def untold(self, master: MasterId) -> list[Untold]:
        """What this master has not heard of single messages."""
        rows = self._database.execute(
            "SELECT term, lane, sequence, told, code FROM outcome WHERE master = ? ORDER BY term, lane, sequence",
            (master,),
        )
        return [Untold(term, Outcome(lane, sequence, Told(told), code)) for term, lane, sequence, told, code in rows]

    def commit(self, batch: Batch, master: MasterId, trust: str, handled: bool = False) -> list[Untold]:
        """All of the batch, or StoreError and none of it. `handled`: handlers are to run for what it releases; those
        of the result will not, for too many wait."""
        places = dict(zip(batch.released, count(self.newest + 1)))
        newest = self.newest + len(places)
        rows, fresh, held = [], [], self._bytes
        withholding = {lane.lane for lane in batch.lanes if lane.withheld}
        for arrival in batch.arrivals:
            n = places.pop(arrival.message.id, 0)
            if n:
                fresh.append(released_entry(n, master, trust, arrival))
            else:
                self._waiting -= 1
            rows.append(row_of(n or self._waiting, master, trust, arrival))
            if arrival.withheld:
                withholding.add(arrival.message.lane)
            else:
                held += len(arrival.message.body)
        self._refuse_beyond(newest, held if rows else 0)
        with Transaction(self._database) as database:
            database.executemany(INSERT, rows)
            for step, n in places.items():
                self._put_step(database, n, master, trust, step)
            for lane in batch.lanes:
                database.execute(_PUT_LANE, (master, lane.lane, lane.term, lane.mark, lane.chain, self.logged))
            if batch.left and self.logged < self.newest:
                self.left.enlist(master, batch.left)
            if self._withholding:
                self._forget_refused(database, master, [lane for lane in batch.lanes if lane.lane in self._withholding])
            busy = [_handled(one, Code.BUSY) for one in self.runs.enlist(self.newest)] if handled else []
            if batch.untold or busy:
                self._put_untold(database, master, [*batch.untold, *busy])
            freed = self._forget(database, newest, held)
        self._fresh = [] if places else sorted(fresh, key=place_of)
        self._withholding = self._withholding.difference(lane.lane for lane in batch.lanes) | withholding
        self.newest, self._bytes = newest, held - freed
        if handled:
            self.runs.count()
        return busy

    def settle(self, master: MasterId, settled: Iterable[Untold]) -> None:
        """These need not be told any more."""
        with Transaction(self._database) as database:
            database.executemany(
                "DELETE FROM outcome WHERE master = ? AND term = ? AND lane = ? AND sequence = ? AND told = ?",
                [(master, one.term, one.outcome.lane, one.outcome.sequence, one.outcome.told) for one in settled],
            )

    def mark_run(self, due: Due) -> None:
        """How far a message's handlers have come: before one is started, and when it has ended."""
        with Transaction(self._database):
            self.runs.mark(due)

    def end_run(self, due: Due, entry: Entry | None, tell: bool) -> list[Untold]:
        """Its handlers have ended; what is to be told, kept: nothing where none has run, or without `tell`."""
        told = [] if entry is None or due.code is None or not tell else [_handled(entry.id, due.code)]
        with Transaction(self._database) as database:
            self.runs.end(due.n)
            if entry:
                self._put_untold(database, entry.master, told)
        self.runs.count()
        return told

    def keep_logged(self) -> None:
        """How far the log has come, before its file is changed for another."""
        with Transaction(self._database) as database:
            database.execute("UPDATE lane SET logged = ?", (self.logged,))

    def entries(self, after: int, limit: int) -> list[Entry]:
        """Deliverable messages with n > `after`, in order; fewer than `limit` where they are long."""
        fresh, self._fresh = self._fresh, []
        if fresh and fresh[0].n == after + 1 and len(fresh) <= limit:
            return fresh  # the last commit has just released them: no need to read them
        found: list[Entry] = []
        size = 0
        for entry in self.walk(after, limit):
            found.append(entry)
            size += len(entry.body)
            if size >= READ_BYTES:
                break
        return found

    def walk(self, after: int, limit: int) -> Iterator[Entry]:
        """The same one by one, all of them; the journal must not change meanwhile."""
        place = min(max(after, 0), _PLACE_MOST)  # anyone may ask: what waits or is refused lies below
        return self._read(f"{SELECT} WHERE n > ? ORDER BY n LIMIT ?", place, limit)

    def find(self, identity: MessageId) -> Entry | None:
        """The newest message of this name that is not withheld."""
        where = "term = ? AND lane = ? AND sequence = ? AND n > 0 AND told IS NULL ORDER BY n DESC LIMIT 1"
        found = self._read(f"{SELECT} WHERE {where}", identity.term, identity.lane, identity.sequence)
        return next(found, None)

    def last(self, limit: int) -> list[Entry]:
        """The newest messages, in order."""
        return self.entries(max(0, self.newest - limit), limit)

    def close(self) -> None:
        """Nothing is pending: every commit was made whole."""
        self._database.close()

    def _read(self, query: str, *values: int) -> Iterator[Entry]:
        try:
            for row in self._database.execute(query, values):
                yield entry_of(*row)
        except sqlite3.Error as error:
            raise StoreError(f"{self._path} cannot be read: {error}") from error

    def _beyond(self, database: sqlite3.Connection, held: int) -> int:
        """Up to which `n` logged messages have to go, so that not too many bytes stay."""
        floor, over = 0, held - self._kept_bytes
        if over > 0:
            for n, size in database.execute(
                f"SELECT n, length(body) FROM message WHERE {_NOT_NEEDED} ORDER BY n",  # noqa: S608 - ours
                (self.logged,),
            ):
                if over <= 0:
                    break
                floor, over = n, over - size
        return floor

    def _refuse_beyond(self, newest: int, held: int) -> None:
        """StoreError where the log has not taken too much already: so many messages, so many bytes of bodies."""
        if held > 2 * self._kept_bytes:
            raise StoreError(f"the journal is full: {self._bytes:,} bytes that the log has not taken")
        if newest > max(self.newest, self.logged + self._unlogged):
            raise StoreError(f"the journal is full: {self.newest - self.logged:,} messages that the log has not taken")

    def _forget(self, database: sqlite3.Connection, newest: int, held: int) -> int:
        """What is beyond the limits, but for what waits for handlers; how many bytes of bodies that were."""
        old = min(newest - KEPT_MESSAGES, self.logged)
        floor = min(max(old if old >= self._forgotten + _FORGET_EACH else 0, self._beyond(database, held)), newest - 1)
        if floor <= 0:
            return 0
        self._forgotten = max(old, self._forgotten)
        freed = self._number(f"SELECT sum(length(body)) FROM message WHERE {_NOT_NEEDED}", floor)  # noqa: S608 - ours
        database.execute(f"DELETE FROM message WHERE {_NOT_NEEDED}", (floor,))  # noqa: S608 - ours
        return freed

    @staticmethod
    def _forget_refused(database: sqlite3.Connection, master: MasterId, lanes: Iterable[Lane]) -> None:
        """Their numbers are taken, their digests no longer needed."""
        database.executemany(
            "DELETE FROM message WHERE n < 0 AND master = ? AND lane = ? AND (term, sequence) <= (?, ?)",
            [(master, lane.lane, lane.term, lane.mark) for lane in lanes],
        )

    @staticmethod
    def _put_step(database: sqlite3.Connection, n: int, master: MasterId, trust: str, step: MessageId | Passed) -> None:
        """Give a step its `n`."""
        if isinstance(step, MessageId):
            database.execute(
                "UPDATE message SET n = ? WHERE master = ? AND term = ? AND lane = ? AND sequence = ?",
                (n, master, step.term, step.lane, step.sequence),
            )
        else:
            first = step.id
            database.execute(
                "INSERT OR REPLACE INTO message VALUES (?, ?, ?, ?, ?, x'', x'', 0, ?, ?, ?, ?, '', 0)",
                (n, master, first.term, first.lane, first.sequence, clock_us(), trust, step.told, step.last),
            )

    @staticmethod
    def _put_untold(database: sqlite3.Connection, master: MasterId, untold: Iterable[Untold]) -> None:
        database.executemany(
            "INSERT OR REPLACE INTO outcome VALUES (?, ?, ?, ?, ?, ?)",
            [
                (master, one.term, one.outcome.lane, one.outcome.sequence, one.outcome.told, one.outcome.code)
                for one in untold
            ],
        )

    def _number(self, query: str, *values: int) -> int:
        """The one number that a query gives; 0 for none."""
        return self._database.execute(query, values).fetchone()[0] or 0

    def _meta(self, key: str) -> bytes | None:
        row = self._database.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    @staticmethod
    def _put_meta(database: sqlite3.Connection, key: str, value: bytes | int) -> None:
        database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
