"""How long the master keeps messages: by number, age and bytes; what goes beyond that is a gap to who still lacks it.

Of a message that is dropped only the signed content goes at once. Its receipts stay a while: they say who has it, and
to whom it is a gap. The chain of the last one that was dropped stays for good: the lane goes on from it.
"""

from __future__ import annotations

import sqlite3
from typing import Final

import msgspec

from netcrier.core.delivery import State

RECEIPTS_KEPT: Final = 1000
"""Dropped messages whose receipts are still known."""

_BEYOND_SIZE = """
SELECT max(number) FROM (
    SELECT number, sum(length(signed) + coalesce(length(data), 0)) OVER (ORDER BY number DESC) AS total
    FROM message LEFT JOIN body ON body.message = number WHERE signed IS NOT NULL)
WHERE total > ?
"""


class Retention(msgspec.Struct, frozen=True):
    """The newest `messages`, of which none is older than `age_us` and which have `size` bytes together; 0: no bound."""

    messages: int
    age_us: int = 0
    size: int = 0


def drop_old(database: sqlite3.Connection, keep: Retention, now_us: int) -> None:
    """Drop what goes beyond; part of the caller's transaction."""
    bounds = (
        ("SELECT max(number) - ? FROM message", keep.messages),
        ("SELECT max(number) FROM message WHERE sent_us < ?", now_us - keep.age_us if keep.age_us else 0),
        (_BEYOND_SIZE, keep.size or 2**62),
    )
    until = max(database.execute(query, (value,)).fetchone()[0] or 0 for query, value in bounds)
    database.execute(
        "INSERT OR REPLACE INTO base SELECT term, lane, max(sequence), chain FROM message WHERE number <= ?"
        " AND signed IS NOT NULL GROUP BY term, lane",  # SQLite gives the chain of the row that has the maximum
        (until,),
    )
    database.execute(
        "UPDATE delivery SET state = ? WHERE message <= ? AND state = ?", (int(State.GAP), until, int(State.PENDING))
    )
    database.execute("UPDATE message SET signed = NULL WHERE number <= ?", (until,))
    database.execute("DELETE FROM body WHERE message <= ?", (until,))
    forgotten = database.execute(
        "SELECT number FROM message WHERE signed IS NULL ORDER BY number DESC LIMIT 1 OFFSET ?", (RECEIPTS_KEPT,)
    ).fetchone()
    if forgotten:
        database.execute("DELETE FROM delivery WHERE message <= ?", forgotten)
        database.execute("DELETE FROM message WHERE number <= ?", forgotten)
