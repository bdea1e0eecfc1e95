"""Terms and boots in the master's store: in which one it numbers, what it lacked when that began, where it was left."""

from __future__ import annotations

from typing import Final

import msgspec

from netcrier.core.events import NodeRow
from netcrier.core.master.admission import Grant
from netcrier.core.master.keyring import GroupKeys
from netcrier.masterd.store.database import Database, put
from netcrier.masterd.store.group import put_grant, put_keys, put_nodes

FIRST_TERM: Final = 1


class Terms:
    """See the module."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin_boot(self) -> tuple[int, int]:
        """The term, and the boot number of this run, already on disk."""
        term, boot = self._database.number("term", FIRST_TERM), self.boots + 1
        with self._database.written() as connection:
            put(connection, "term", term)
            put(connection, "boot", boot)
        return term, boot

    @property
    def boots(self) -> int:
        """How often a master has started with this store."""
        return self._database.number("boot", 0)

    @property
    def place(self) -> bytes:
        """Where the last run that spoke has left the store; empty where another has spoken since."""
        return self._database.octets("place")

    def keep_place(self, place: bytes) -> None:
        """For the next run to compare."""
        with self._database.written() as connection:
            put(connection, "place", place)

    @property
    def recovering(self) -> bool:
        """Whether this store has lost something, or replaces one that has, and no term has begun in it."""
        return bool(self._database.number("recovering", 0))

    @property
    def unknown(self) -> list[tuple[int, int, int]]:
        """(term, lane, number) up to which nodes had messages that this store lacks, when its term began."""
        value = self._database.octets("unknown")
        return msgspec.msgpack.decode(value, type=list[tuple[int, int, int]]) if value else []

    def begin(self, term: int, keys: GroupKeys | None, unknown: list[tuple[int, int, int]]) -> None:
        """Numbers begin anew in this term. `keys`: a new group key, where the old one may not be used again."""
        with self._database.written() as connection:
            put(connection, "term", term)
            put(connection, "recovering", 0)
            put(connection, "unknown", msgspec.msgpack.encode(unknown))
            if keys:
                put_keys(connection, keys)

    def go_on(self) -> None:
        """Though commits are lost: its master then listens and begins a new term."""
        self._database.count_lost()
        with self._database.written() as connection:
            put(connection, "recovering", 1)

    def replace_lost(self, term: int, boot: int, keys: GroupKeys, rows: list[NodeRow], grants: list[Grant]) -> None:
        """What could be read of the store that this one replaces; its master then listens and begins a new term."""
        with self._database.written() as connection:
            put(connection, "term", term)
            put(connection, "boot", boot)
            put(connection, "recovering", 1)
            put_keys(connection, keys)
            put_nodes(connection, rows)
            for grant in grants:
                put_grant(connection, grant)
