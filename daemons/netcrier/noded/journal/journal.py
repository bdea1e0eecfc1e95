"""The node's journal: every message once, in SQLite, before its receipt; the log is written from it.

`n` numbers the deliverable messages in the order in which they became so, without a gap, and among them the runs of
messages that the node is without for good (`told` says why, `last` how far). Those that wait for others, or are
refused, have one below 0 meanwhile. The newest `n` never leaves the journal.
The log's last line tells how far it has come; `entries` gives the rest, whatever stopped it: a crash, a full disk, or
nothing at all.

A commit is what a node spends most of its time with. The common one, a message that follows its lane's mark, is a
single statement: its row says how far the lane is. The lane's own row is renewed by every other commit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path

import msgspec

from netcrier.core.node.batch import Batch, Lane, Passed
from netcrier.core.node.hearing import Membership
from netcrier.core.node.kept import Kept
from netcrier.core.outcomes import Untold
from netcrier.errors import StoreError
from netcrier.ids import LANES, MasterId, MessageId
from netcrier.noded.journal.entry import INSERT, SELECT, Entry, Row, entry_of, place_of, released_entry, row_of
from netcrier.noded.journal.entry import SCHEMA as ENTRY_SCHEMA
from netcrier.noded.journal.left_book import SCHEMA as LEFT_SCHEMA
from netcrier.noded.journal.left_book import LeftBook
from netcrier.noded.journal.question_book import SCHEMA as QUESTION_SCHEMA
from netcrier.noded.journal.question_book import QuestionBook
from netcrier.noded.journal.room import KEPT_BYTES, UNLOGGED_MESSAGES, Room
from netcrier.noded.journal.run_book import SCHEMA as RUN_SCHEMA
from netcrier.noded.journal.run_book import Due, RunBook
from netcrier.runtime.store import Transaction, number, open_database, write
from netcrier.runtime.udp import clock_us
from netcrier.wire.envelope import Digest, chained
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
_PLACE_MOST = (1 << 63) - 1
LANE_EACH = 32
"""Messages in a row after which the lane's row is renewed all the same."""
READ_BYTES = 4 << 20
"""Bytes of bodies that are read at once, a last one beyond it."""


def _handled(message: MessageId, code: int) -> Untold:
    return Untold(message.term, Outcome(message.lane, message.sequence, Told.HANDLED, code))


_PUT_LANE = """INSERT INTO lane VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT(master, lane) DO UPDATE SET
    term = excluded.term, mark = excluded.mark, chain = excluded.chain, logged = excluded.logged"""


class _Rows:
    """A batch as the journal gets it, behind the numbers `newest` and, of what waits, `waiting`."""

    def __init__(self, batch: Batch, master: MasterId, trust: str, newest: int, waiting: int) -> None:
        self.places = dict(zip(batch.released, count(newest + 1)))
        """Steps that are not rows of this batch, and the `n` of each."""
        self.newest, self.waiting = newest + len(self.places), waiting
        self.rows: list[Row] = []
        self.fresh: list[Entry] = []
        self.size = 0
        """Bytes of bodies."""
        self.withholding = {lane.lane for lane in batch.lanes if lane.withheld}
        for arrival in batch.arrivals:
            n = self.places.pop(arrival.message.id, 0)
            if n:
                self.fresh.append(released_entry(n, master, trust, arrival))
            else:
                self.waiting -= 1
            self.rows.append(row_of(n or self.waiting, master, trust, arrival))
            if arrival.withheld:
                self.withholding.add(arrival.message.lane)
            else:
                self.size += len(arrival.message.body)


class Journal:
    """See the module. Used by one thread at a time."""

    def __init__(self, path: Path, kept_bytes: int = KEPT_BYTES, unlogged: int = UNLOGGED_MESSAGES) -> None:
        self._database = open_database(path, _SCHEMA + ENTRY_SCHEMA + LEFT_SCHEMA + QUESTION_SCHEMA + RUN_SCHEMA)
        self._path = path
        self._room = Room(self._database, kept_bytes, unlogged)
        self.questions = QuestionBook(self._database)
        self.left = LeftBook(self._database)
        self.runs = RunBook(self._database, kept_bytes // 4)
        begun = int(self._meta("begun") or 0)
        self.newest = max(begun, number(self._database, "SELECT max(n) FROM message"))
        self.logged = max(begun, number(self._database, "SELECT max(logged) FROM lane"))
        self._waiting = min(0, number(self._database, "SELECT min(n) FROM message"))
        self._withholding = set(LANES)
        """Lanes of which rows may be refused."""
        self._fresh: list[Entry] = []
        self._lanes: dict[tuple[MasterId, int], Lane] = {}
        """By master and number, as of the last commit of this run."""
        self._stale: dict[tuple[MasterId, int], Lane] = {}
        """Of them, those of which the row is older."""
        self._alone = 0
        """Commits of a single statement since the lanes' rows were renewed."""
        self.log_tells = False
        """Whether the log tells after a restart how far it has come; else the lanes' rows do, at every commit."""

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
            beyond = self._database.execute(
                "SELECT n, sequence, digest, told FROM message"
                " WHERE master = ? AND lane = ? AND term = ? AND sequence > ? ORDER BY sequence",
                (master, lane, term, mark),
            ).fetchall()
            held = [row[1:] for row in beyond if row[0] < 0]
            for n, sequence, digest, _ in beyond:
                if n > 0:
                    mark, chain = sequence, chained(Digest(chain), Digest(digest))
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
        new = _Rows(batch, master, trust, self.newest, self._waiting)
        self._room.refuse(self.logged, self.newest, new.newest, new.size)
        lanes = self._stale | {(master, lane.lane): lane for lane in batch.lanes}
        if not handled and self._follows(batch, master, new):
            write(self._database, INSERT, new.rows[0])
            busy: list[Untold] = []
            self._room.held += new.size
            self._alone, self._stale = self._alone + 1, lanes
        else:
            with Transaction(self._database) as database:
                self._insert(database, new, master, trust)
                self._put_lanes(database, lanes, batch, master)
                busy = [_handled(one, Code.BUSY) for one in self.runs.enlist(self.newest)] if handled else []
                if batch.untold or busy:
                    self._put_untold(database, master, [*batch.untold, *busy])
                held = self._room.forget(self.logged, new.newest, new.size)
            self._room.held = held
            self._alone, self._stale = 0, {}
        self._lanes |= lanes
        self._fresh = [] if new.places else sorted(new.fresh, key=place_of)
        self._withholding = self._withholding.difference(lane.lane for lane in batch.lanes) | new.withholding
        self.newest, self._waiting = new.newest, new.waiting
        if handled:
            self.runs.count()
        return busy

    def _follows(self, batch: Batch, master: MasterId, new: _Rows) -> bool:
        """Whether the batch is one message that is released at once and that its lane has waited for; its row then
        says all that a restart has to know."""
        if not len(batch.lanes) == len(new.rows) == len(new.fresh) == 1 or batch.untold:
            return False
        lane, sequence = batch.lanes[0], new.fresh[0].id.sequence
        before = self._lanes.get((master, lane.lane))
        return (
            before is not None
            and before.mark + 1 == sequence == lane.mark
            and lane.lane not in self._withholding
            and not self._room.over(self.logged, new.newest, new.size)
            and self.log_tells
            and self._alone < LANE_EACH
        )

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

    @staticmethod
    def _forget_refused(database: sqlite3.Connection, master: MasterId, lanes: Iterable[Lane]) -> None:
        """Their numbers are taken, their digests no longer needed."""
        database.executemany(
            "DELETE FROM message WHERE n < 0 AND master = ? AND lane = ? AND (term, sequence) <= (?, ?)",
            [(master, lane.lane, lane.term, lane.mark) for lane in lanes],
        )

    def _insert(self, database: sqlite3.Connection, new: _Rows, master: MasterId, trust: str) -> None:
        """The messages, and the `n` of what has waited for them or is passed."""
        database.executemany(INSERT, new.rows)
        for step, n in new.places.items():
            self._put_step(database, n, master, trust, step)

    def _put_lanes(
        self, database: sqlite3.Connection, lanes: Mapping[tuple[MasterId, int], Lane], batch: Batch, master: MasterId
    ) -> None:
        """Where the lanes are now, and what that makes of earlier rows."""
        for (whose, place), lane in lanes.items():
            database.execute(_PUT_LANE, (whose, place, lane.term, lane.mark, lane.chain, self.logged))
        if batch.left and self.logged < self.newest:
            self.left.enlist(master, batch.left)
        if refusing := [lane for lane in batch.lanes if lane.lane in self._withholding]:
            self._forget_refused(database, master, refusing)

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

    def _meta(self, key: str) -> bytes | None:
        row = self._database.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    @staticmethod
    def _put_meta(database: sqlite3.Connection, key: str, value: bytes | int) -> None:
        database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
