"""Which questions a node has begun: rows of the journal's database, so that one sent again after a restart starts
nothing."""

from __future__ import annotations

import sqlite3
from typing import Final

from netcrier.ids import MasterId
from netcrier.runtime.store import Transaction

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS question(
    master BLOB, term INTEGER, boot INTEGER, counter INTEGER, PRIMARY KEY(master, term, boot, counter)) WITHOUT ROWID;
"""
KEPT_QUESTIONS: Final = 256
"""Questions that a node knows it has begun, for each master: the newest. Older ones start nothing."""


class QuestionBook:
    """See the module. `database` is the journal's, used by its thread."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def begin(self, master: MasterId, question: tuple[int, int, int]) -> bool:
        """Keep the question's (term, boot, counter); False where it was begun before, or is too old to tell."""
        newest = self._database.execute(
            "SELECT term, boot, counter FROM question WHERE master = ? ORDER BY term DESC, boot DESC, counter DESC"
            " LIMIT ?",
            (master, KEPT_QUESTIONS),
        ).fetchall()
        if question in newest or (len(newest) == KEPT_QUESTIONS and question < newest[-1]):
            return False
        with Transaction(self._database) as database:
            database.execute("INSERT INTO question VALUES (?, ?, ?, ?)", (master, *question))
            if len(newest) == KEPT_QUESTIONS:
                database.execute(
                    "DELETE FROM question WHERE master = ? AND (term, boot, counter) < (?, ?, ?)", (master, *newest[-1])
                )
        return True
