"""The group in the master's store: its keys, its nodes, its tokens. What belongs to one change is one commit."""

from __future__ import annotations

import os
import sqlite3

import msgspec

from netcrier.core.delivery import State
from netcrier.core.events import NodeRow
from netcrier.core.master.admission import Grant
from netcrier.core.master.keyring import GroupKeys
from netcrier.ids import NodeId
from netcrier.masterd.store.database import Database, put
from netcrier.wire.envelope import KEY_SIZE


class Group:
    """See the module."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keys(self, now_us: int) -> GroupKeys:
        """The group's keys; the first is made at the first call."""
        secret, number = self._database.octets("key"), self._database.number
        if not secret:
            keys = GroupKeys(1, os.urandom(KEY_SIZE), open=True, since_us=now_us)
            self.keep_keys(keys)
            return keys
        return GroupKeys(
            number("epoch", 1),
            secret,
            bool(number("open", 0)),
            number("since", 0),
            number("sealed", 0),
            self._database.octets("next key"),
        )

    def keep_keys(self, keys: GroupKeys) -> None:
        """The group's keys, on disk."""
        with self._database.written() as connection:
            put_keys(connection, keys)

    def shut_out(self, keys: GroupKeys, rows: list[NodeRow], grant: Grant | None, void: list[bytes]) -> None:
        """A key that holds at once, the nodes that are out or wait, a token that is new, ids of those that are void:
        all or nothing. What a revoked node has not received, it has not been given."""
        out = [row.index for row in rows if row.trust == "revoked"]
        with self._database.written() as connection:
            put_keys(connection, keys)
            put_nodes(connection, rows)
            if grant:
                put_grant(connection, grant)
            connection.executemany("DELETE FROM grant_ WHERE id = ?", [(identity,) for identity in void])
            connection.executemany(
                "UPDATE delivery SET state = ? WHERE node = ? AND state = ?",
                [(int(State.REVOKED), index, int(State.PENDING)) for index in out],
            )

    def nodes(self) -> list[NodeRow]:
        """Every node."""
        rows = self._database.read("SELECT row FROM node ORDER BY number")
        return [msgspec.msgpack.decode(row, type=NodeRow) for (row,) in rows]

    def keep_nodes(self, rows: list[NodeRow], grant: Grant | None = None) -> None:
        """Nodes as they are now, and the token that one of them has used."""
        with self._database.written() as connection:
            put_nodes(connection, rows)
            if grant:
                put_grant(connection, grant)

    def forget_node(self, row: NodeRow) -> None:
        """The node and what it was expected to receive."""
        with self._database.written() as connection:
            connection.execute("DELETE FROM node WHERE id = ?", (row.id,))
            connection.execute("DELETE FROM delivery WHERE node = ?", (row.index,))

    def grants(self) -> dict[bytes, Grant]:
        """Every token that was made, by id."""
        rows = self._database.read("SELECT value FROM grant_")
        grants = [msgspec.msgpack.decode(value, type=Grant) for (value,) in rows]
        return {grant.id: grant for grant in grants}

    def keep_grant(self, grant: Grant) -> None:
        """A new token."""
        with self._database.written() as connection:
            put_grant(connection, grant)

    def drop_grant(self, identity: bytes) -> None:
        """A token that nobody may use any more."""
        with self._database.written() as connection:
            connection.execute("DELETE FROM grant_ WHERE id = ?", (identity,))


def put_keys(connection: sqlite3.Connection, keys: GroupKeys) -> None:
    """In the caller's transaction, as the two below."""
    put(connection, "epoch", keys.epoch)
    put(connection, "key", keys.secret)
    put(connection, "open", int(keys.open))
    put(connection, "since", keys.since_us)
    put(connection, "sealed", keys.sealed)
    put(connection, "next key", keys.next_secret)


def put_nodes(connection: sqlite3.Connection, rows: list[NodeRow]) -> None:
    """The nodes as they are now."""
    connection.executemany(
        "INSERT OR REPLACE INTO node VALUES (?, ?, ?)",
        [(row.index, NodeId(row.id), msgspec.msgpack.encode(row)) for row in rows],
    )


def put_grant(connection: sqlite3.Connection, grant: Grant) -> None:
    """A token as it is now."""
    connection.execute("INSERT OR REPLACE INTO grant_ VALUES (?, ?)", (grant.id, msgspec.msgpack.encode(grant)))
