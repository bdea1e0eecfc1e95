"""Lanes as they left a term of which the log did not have all, until the master has heard that it has: rows of the
journal's database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

from netcrier.core.node.batch import Lane
from netcrier.ids import MasterId
from netcrier.runtime.store import Transaction
from netcrier.wire.envelope import Digest

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS left_lane(
    master BLOB, term INTEGER, lane INTEGER, mark INTEGER, chain BLOB, PRIMARY KEY(master, term, lane)) WITHOUT ROWID;
"""


class LeftBook:
    """See the module. `database` is the journal's, used by its thread."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def of(self, master: MasterId) -> tuple[Lane, ...]:
        """Those of this master, the oldest term first."""
        rows = self._database.execute(
            "SELECT lane, term, mark, chain FROM left_lane WHERE master = ? ORDER BY term, lane", (master,)
        )
        return tuple(Lane(lane, term, mark, Digest(chain)) for lane, term, mark, chain in rows)

    def enlist(self, master: MasterId, lanes: Iterable[Lane]) -> None:
        """They leave their term; part of the caller's transaction."""
        self._database.executemany(
            "INSERT OR REPLACE INTO left_lane VALUES (?, ?, ?, ?, ?)",
            [(master, lane.term, lane.lane, lane.mark, lane.chain) for lane in lanes],
        )

    def forget(self, master: MasterId, term: int, lane: int) -> None:
        """The master has heard of this one."""
        with Transaction(self._database) as database:
            database.execute("DELETE FROM left_lane WHERE master = ? AND term = ? AND lane = ?", (master, term, lane))
