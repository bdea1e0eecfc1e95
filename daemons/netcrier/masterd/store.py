"""The master's store: messages and what became of them, nodes, keys, tokens. Committed before anything is sent."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from netcrier.core.delivery import HAVE, MOVES, OPEN, Receipt, State
from netcrier.core.events import NodeRow
from netcrier.core.master.admission import Grant
from netcrier.core.master.composer import Composed
from netcrier.core.master.conditions import Condition
from netcrier.core.master.keyring import GroupKeys
from netcrier.core.master.outbox import OutLane
from netcrier.errors import StoreError
from netcrier.ids import LANES, MessageId, NodeId
from netcrier.masterd.retention import Retention, drop_old
from netcrier.masterd.watermark import Watermark
from netcrier.runtime.store import Transaction, open_database
from netcrier.wire.envelope import KEY_SIZE, Digest
from netcrier.wire.message import decode_message

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


BEGINNING: Final = 8 * 1024
"""Bytes of a body that lists show: a thousand of them fit one reply; `body` has all of it."""

FIRST_TERM: Final = 1

REQUESTS_KEPT_US: Final = 86_400_000_000
"""A request is known for a day."""


class Stored(msgspec.Struct, frozen=True):
    """A message in the store; of `size` bytes `body` has at most the first BEGINNING.

    Where only the receipts are left of it, `kept` is False and `body` empty.
    """

    number: int
    id: MessageId
    sent_us: int
    body: bytes
    size: int
    selector: str = ""
    expires_us: int | None = None
    kept: bool = True


class Outcome(msgspec.Struct, frozen=True):
    """A message at one node. `after_us`: from sending to the first receipt, None without one; `last_us`: to the last.

    `repeats`: how often it was sent again for this node; `unexpected`: the node was not expected to have it.
    """

    index: int
    state: State
    after_us: int | None
    last_us: int | None = None
    code: int = 0
    repeats: int = 0
    unexpected: bool = False


def outcome_of(receipt: Receipt) -> Outcome:
    """What the store will say once it has the receipt, where that is the first."""
    us = int(receipt.after * 1e6)
    first = us if receipt.state in HAVE else None
    return Outcome(receipt.index, receipt.state, first, us, receipt.code, receipt.repeats, receipt.unexpected)


_APART = f"(SELECT substr(data, 1, {BEGINNING}) FROM body WHERE body.message = number)"  # noqa: S608 - ours
_COLUMNS = f"number, term, lane, sequence, sent_us, signed, size, selector, expires_us, {_APART}"


def _beginning(signed: bytes | None, apart: bytes | None) -> bytes:
    """Of the body: in the signed message, or apart from it where it went in blocks."""
    return apart or (decode_message(signed).body if signed else b"")


class Store:
    """See the module. Written by one thread; `signed_message` and the readers may be called by another."""

    def __init__(self, path: Path) -> None:
        self._database = open_database(path, _SCHEMA)
        self._reader = open_database(path, "")
        self._path = path
        self._watermark = Watermark(path)
        self._commits = self._number("commits", 0)
        self.lost = max(0, self._watermark.read() - self._commits)
        """Commits that the file has had and has no more."""

    # Numbers and keys

    def begin_boot(self) -> tuple[int, int]:
        """The term, and the boot number of this run, already on disk."""
        with self._written() as database:
            term, boot = self._number("term", FIRST_TERM), self._number("boot", 0) + 1
            self._put(database, "term", term)
            self._put(database, "boot", boot)
        return term, boot

    @property
    def boots(self) -> int:
        """How often a master has started with this store."""
        return self._number("boot", 0)

    @property
    def empty(self) -> bool:
        """Whether not even a term has begun."""
        return not self._read("SELECT 1 FROM meta LIMIT 1")

    @property
    def used(self) -> bool:
        """Whether a node is known or a message was sent."""
        return any(self._read(f"SELECT 1 FROM {table} LIMIT 1") for table in ("node", "message"))  # noqa: S608 - ours

    @property
    def place(self) -> bytes:
        """Where the last run that spoke has left the store; empty where another has spoken since."""
        value = self._get("place")
        return value if isinstance(value, bytes) else b""

    def keep_place(self, place: bytes) -> None:
        """For the next run to compare."""
        with self._written() as database:
            self._put(database, "place", place)

    @property
    def recovering(self) -> bool:
        """Whether this store has lost something, or replaces one that has, and no term has begun in it."""
        return bool(self._number("recovering", 0))

    @property
    def unknown(self) -> list[tuple[int, int, int]]:
        """(term, lane, number) up to which nodes had messages that this store lacks, when its term began."""
        value = self._get("unknown")
        return msgspec.msgpack.decode(value, type=list[tuple[int, int, int]]) if isinstance(value, bytes) else []

    def go_on(self) -> None:
        """Though commits are lost: its master then listens and begins a new term."""
        self._commits += self.lost
        with self._written() as database:
            self._put(database, "recovering", 1)
        self.lost = 0

    def begin_term(self, term: int, keys: GroupKeys | None, unknown: list[tuple[int, int, int]]) -> None:
        """Numbers begin anew in this term. `keys`: a new group key, where the old one may not be used again."""
        with self._written() as database:
            self._put(database, "term", term)
            self._put(database, "recovering", 0)
            self._put(database, "unknown", msgspec.msgpack.encode(unknown))
            if keys:
                self._put_keys(database, keys)

    def replace_lost(self, term: int, boot: int, keys: GroupKeys, rows: list[NodeRow], grants: list[Grant]) -> None:
        """What could be read of the store that this one replaces; its master then listens and begins a new term."""
        with self._written() as database:
            self._put(database, "term", term)
            self._put(database, "boot", boot)
            self._put(database, "recovering", 1)
            self._put_keys(database, keys)
            self._put_nodes(database, rows)
            for grant in grants:
                self._put_grant(database, grant)

    def group_keys(self, now_us: int) -> GroupKeys:
        """The group's keys; the first is made at the first call."""
        secret = self._get("key")
        if not isinstance(secret, bytes):
            keys = GroupKeys(1, os.urandom(KEY_SIZE), open=True, since_us=now_us)
            self.keep_keys(keys)
            return keys
        following = self._get("next key")
        return GroupKeys(
            self._number("epoch", 1),
            secret,
            bool(self._number("open", 0)),
            self._number("since", 0),
            self._number("sealed", 0),
            following if isinstance(following, bytes) else b"",
        )

    def keep_keys(self, keys: GroupKeys) -> None:
        """The group's keys, on disk."""
        with self._written() as database:
            self._put_keys(database, keys)

    def shut_out(self, keys: GroupKeys, rows: list[NodeRow], grant: Grant | None, void: list[bytes]) -> None:
        """A key that holds at once, the nodes that are out or wait, a token that is new, ids of those that are void:
        all or nothing. What a revoked node has not received, it has not been given."""
        out = [row.index for row in rows if row.trust == "revoked"]
        with self._written() as database:
            self._put_keys(database, keys)
            self._put_nodes(database, rows)
            if grant:
                self._put_grant(database, grant)
            database.executemany("DELETE FROM grant_ WHERE id = ?", [(identity,) for identity in void])
            database.executemany(
                "UPDATE delivery SET state = ? WHERE node = ? AND state = ?",
                [(int(State.REVOKED), index, int(State.PENDING)) for index in out],
            )

    # Messages

    def add_message(self, composed: Composed, request: str) -> None:
        """The message, its number, whom it is expected by, and the request that made it."""
        identity, condition = composed.id, composed.condition
        name = (identity.term, identity.lane, identity.sequence)
        with self._written() as database:
            number = database.execute(
                "INSERT INTO message VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *name, composed.plaintext, composed.digest, composed.chain, composed.sent_us, composed.size,
                    composed.selector, condition.expires_us if condition else None,
                ),
            ).lastrowid  # fmt: skip
            if composed.body:
                database.execute("INSERT INTO body VALUES (?, ?)", (number, composed.body))
            database.executemany(
                "INSERT INTO delivery VALUES (?, ?, 0, NULL, NULL, 0, 0, 0)",
                [(number, index) for index in composed.expected],
            )
            database.execute("DELETE FROM request WHERE sent_us < ?", (composed.sent_us - REQUESTS_KEPT_US,))
            database.execute("INSERT INTO request VALUES (?, ?, ?, ?, ?)", (request, *name, composed.sent_us))

    def add_receipts(self, receipts: list[Receipt]) -> None:
        """What nodes have said; the time of the first receipt stays, and no state goes back."""
        with self._written() as database:
            for receipt in receipts:
                self._put_receipt(database, receipt)

    def drop_old(self, keep: Retention, now_us: int) -> None:
        """Forget what is beyond the retention."""
        with self._written() as database:
            drop_old(database, keep, now_us)

    def lanes(self, term: int) -> list[OutLane]:
        """Every lane of the term, with digests and chains of what is kept."""
        lanes = []
        for lane in LANES:
            out = OutLane(lane)
            for sequence, chain in self._read(
                "SELECT sequence, chain FROM base WHERE term = ? AND lane = ?", term, lane
            ):
                out.lowest, out.base = sequence + 1, Digest(chain)
            rows = self._read(
                "SELECT digest, chain FROM message WHERE term = ? AND lane = ? AND sequence >= ? ORDER BY sequence",
                term, lane, out.lowest,
            )  # fmt: skip
            out.digests = [Digest(digest) for digest, _ in rows]
            out.chains = [Digest(chain) for _, chain in rows]
            lanes.append(out)
        return lanes

    def terms(self, before: int) -> list[int]:
        """The terms before this one of which messages were sent."""
        rows = self._read(
            "SELECT term FROM message WHERE term < ? UNION SELECT term FROM base WHERE term < ?", *[before] * 2
        )
        return sorted(term for (term,) in rows)

    def lowest(self, term: int) -> dict[int, int]:
        """The first number that is kept of each lane of which something was dropped."""
        return {
            lane: sequence + 1 for lane, sequence in self._read("SELECT lane, sequence FROM base WHERE term = ?", term)
        }

    def conditions(self, term: int) -> list[tuple[MessageId, Condition]]:
        """The conditions of the messages of this term that are kept and have some."""
        rows = self._read(
            "SELECT number, lane, sequence, selector, expires_us FROM message WHERE term = ? AND signed IS NOT NULL"
            " AND (selector != '' OR expires_us IS NOT NULL)",
            term,
        )
        found = []
        for number, lane, sequence, selector, expires_us in rows:
            nodes = self._read("SELECT node FROM delivery WHERE message = ? AND NOT unexpected", number)
            expected = frozenset(node for (node,) in nodes) if selector else None
            found.append((MessageId(term, lane, sequence), Condition(expected, expires_us)))
        return found

    def signed_message(self, identity: MessageId) -> bytes | None:
        """The signed plaintext, for repetition."""
        row = self._reader.execute(
            "SELECT signed FROM message WHERE term = ? AND lane = ? AND sequence = ?",
            (identity.term, identity.lane, identity.sequence),
        ).fetchone()
        return row[0] if row else None

    def body(self, identity: MessageId) -> bytes | None:
        """The body of a message in blocks."""
        rows = self._read(
            "SELECT data FROM body WHERE message = (SELECT number FROM message WHERE term = ? AND lane = ?"
            " AND sequence = ?)",
            identity.term, identity.lane, identity.sequence,
        )  # fmt: skip
        return rows[0][0] if rows else None

    def by_request(self, request: str, now_us: int) -> Stored | None:
        """The message that this request has made within a day."""
        rows = self._read(
            "SELECT term, lane, sequence FROM request WHERE id = ? AND sent_us >= ?", request, now_us - REQUESTS_KEPT_US
        )
        return self.message(MessageId(*rows[0])) if rows else None

    def message(self, identity: MessageId) -> Stored | None:
        """One message."""
        return self._one("term = ? AND lane = ? AND sequence = ?", identity.term, identity.lane, identity.sequence)

    def newest(self, limit: int) -> list[Stored]:
        """The newest messages, the oldest of them first."""
        return self._messages(
            "number IN (SELECT number FROM message WHERE signed IS NOT NULL ORDER BY number DESC LIMIT ?)", limit
        )

    def outcomes(self, number: int) -> list[Outcome]:
        """A message at every node that it was expected by, or that has it all the same."""
        rows = self._read(
            "SELECT node, state, after_us, last_us, code, repeats, unexpected FROM delivery WHERE message = ?", number
        )
        return [
            Outcome(node, State(state), after_us, last_us, code, repeats, bool(unexpected))
            for node, state, after_us, last_us, code, repeats, unexpected in rows
        ]

    def gaps(self) -> dict[int, int]:
        """By node: how many messages it will never have, of those whose receipts are still known."""
        return dict(self._read("SELECT node, count(*) FROM delivery WHERE state = 7 GROUP BY node"))

    def unfinished(self) -> list[Stored]:
        """Messages that some node can still receive, deliver or miss."""
        states = ", ".join(str(int(state)) for state in OPEN)
        where = f"signed IS NOT NULL AND number IN (SELECT DISTINCT message FROM delivery WHERE state IN ({states}))"  # noqa: S608 - ours
        return self._messages(where)

    # Nodes and tokens

    def nodes(self) -> list[NodeRow]:
        """Every node."""
        return [
            msgspec.msgpack.decode(row, type=NodeRow) for (row,) in self._read("SELECT row FROM node ORDER BY number")
        ]

    def keep_nodes(self, rows: list[NodeRow], grant: Grant | None = None) -> None:
        """Nodes as they are now, and the token that one of them has used."""
        with self._written() as database:
            self._put_nodes(database, rows)
            if grant:
                self._put_grant(database, grant)

    def forget_node(self, row: NodeRow) -> None:
        """The node and what it was expected to receive."""
        with self._written() as database:
            database.execute("DELETE FROM node WHERE id = ?", (row.id,))
            database.execute("DELETE FROM delivery WHERE node = ?", (row.index,))

    def grants(self) -> dict[bytes, Grant]:
        """Every token that was made, by id."""
        rows = self._read("SELECT value FROM grant_")
        grants = [msgspec.msgpack.decode(value, type=Grant) for (value,) in rows]
        return {grant.id: grant for grant in grants}

    def keep_grant(self, grant: Grant) -> None:
        """A new token."""
        with self._written() as database:
            self._put_grant(database, grant)

    def drop_grant(self, identity: bytes) -> None:
        """A token that nobody may use any more."""
        with self._written() as database:
            database.execute("DELETE FROM grant_ WHERE id = ?", (identity,))

    @contextmanager
    def _written(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is counted."""
        with Transaction(self._database) as database:
            yield database
            self._put(database, "commits", self._commits + 1)
        self._commits += 1
        self._watermark.write(self._commits)

    def close(self) -> None:
        """Nothing is pending: every commit was made whole."""
        self._watermark.close()
        self._reader.close()
        self._database.close()

    def _put_keys(self, database: sqlite3.Connection, keys: GroupKeys) -> None:
        self._put(database, "epoch", keys.epoch)
        self._put(database, "key", keys.secret)
        self._put(database, "open", int(keys.open))
        self._put(database, "since", keys.since_us)
        self._put(database, "sealed", keys.sealed)
        self._put(database, "next key", keys.next_secret)

    @staticmethod
    def _put_grant(database: sqlite3.Connection, grant: Grant) -> None:
        database.execute("INSERT OR REPLACE INTO grant_ VALUES (?, ?)", (grant.id, msgspec.msgpack.encode(grant)))

    @staticmethod
    def _put_nodes(database: sqlite3.Connection, rows: list[NodeRow]) -> None:
        database.executemany(
            "INSERT OR REPLACE INTO node VALUES (?, ?, ?)",
            [(row.index, NodeId(row.id), msgspec.msgpack.encode(row)) for row in rows],
        )

    @staticmethod
    def _put(database: sqlite3.Connection, key: str, value: bytes | int) -> None:
        database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def _get(self, key: str) -> bytes | int | None:
        row = self._database.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def _number(self, key: str, default: int) -> int:
        value = self._get(key)
        return value if isinstance(value, int) else default

    def _one(self, where: str, *values: str | int) -> Stored | None:
        return next(iter(self._messages(where, *values)), None)

    def _messages(self, where: str, *values: str | int) -> list[Stored]:
        query = f"SELECT {_COLUMNS} FROM message WHERE {where} ORDER BY number"  # noqa: S608 - ours
        return [
            Stored(
                number, MessageId(term, lane, sequence), sent_us, _beginning(signed, apart), size, selector, expires_us,
                signed is not None,
            )
            for number, term, lane, sequence, sent_us, signed, size, selector, expires_us, apart in self._read(
                query, *values
            )
        ]  # fmt: skip

    @staticmethod
    def _put_receipt(database: sqlite3.Connection, receipt: Receipt) -> None:
        message, index, last_us = receipt.message, receipt.index, int(receipt.after * 1e6)
        name = (message.term, message.lane, message.sequence)
        if receipt.unexpected:
            database.execute(
                "INSERT OR IGNORE INTO delivery SELECT number, ?, 0, NULL, NULL, 0, 0, 1 FROM message"
                " WHERE term = ? AND lane = ? AND sequence = ?",
                (index, *name),
            )
        found = database.execute(
            "SELECT number, state FROM message JOIN delivery ON message = number AND node = ?"
            " WHERE term = ? AND lane = ? AND sequence = ?",
            (index, *name),
        ).fetchone()
        if found and (State(found[1]), receipt.state) in MOVES:
            first_us = last_us if receipt.state in HAVE else None
            database.execute(
                "UPDATE delivery SET state = ?, code = ?, repeats = max(repeats, ?), after_us = coalesce(after_us, ?),"
                " last_us = max(coalesce(last_us, 0), ?) WHERE message = ? AND node = ?",
                (int(receipt.state), receipt.code, receipt.repeats, first_us, last_us, found[0], index),
            )

    def _read(self, query: str, *values: str | int) -> list[tuple[Any, ...]]:
        try:
            return self._reader.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"{self._path} cannot be read: {error}") from error
