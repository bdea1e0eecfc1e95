"""What became of messages at nodes, in the master's store: no state goes back, the first receipt's time stays."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import msgspec

from netcrier.core.delivery import HAVE, MOVES, Receipt, State
from netcrier.masterd.store.database import Database


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


def received(outcomes: Iterable[Outcome]) -> int:
    """How many of the expected nodes have it."""
    return sum(outcome.state in HAVE and not outcome.unexpected for outcome in outcomes)


def expected(outcomes: Iterable[Outcome]) -> int:
    """How many nodes are expected to have it."""
    return sum(outcome.state is not State.REVOKED and not outcome.unexpected for outcome in outcomes)


class Outcomes:
    """See the module."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, receipts: list[Receipt]) -> None:
        """What nodes have said."""
        with self._database.written() as connection:
            for receipt in receipts:
                _put(connection, receipt)

    def of(self, number: int) -> list[Outcome]:
        """A stored message at every node that it was expected by, or that has it all the same."""
        rows = self._database.read(
            "SELECT node, state, after_us, last_us, code, repeats, unexpected FROM delivery WHERE message = ?", number
        )
        return [
            Outcome(node, State(state), after_us, last_us, code, repeats, bool(unexpected))
            for node, state, after_us, last_us, code, repeats, unexpected in rows
        ]

    def gaps(self) -> dict[int, int]:
        """By node: how many messages it will never have, of those whose receipts are still known."""
        return dict(self._database.read("SELECT node, count(*) FROM delivery WHERE state = 7 GROUP BY node"))


def _put(connection: sqlite3.Connection, receipt: Receipt) -> None:
    message, index, last_us = receipt.message, receipt.index, int(receipt.after * 1e6)
    name = (message.term, message.lane, message.sequence)
    if receipt.unexpected:
        connection.execute(
            "INSERT OR IGNORE INTO delivery SELECT number, ?, 0, NULL, NULL, 0, 0, 1 FROM message"
            " WHERE term = ? AND lane = ? AND sequence = ?",
            (index, *name),
        )
    found = connection.execute(
        "SELECT number, state FROM message JOIN delivery ON message = number AND node = ?"
        " WHERE term = ? AND lane = ? AND sequence = ?",
        (index, *name),
    ).fetchone()
    if found and (State(found[1]), receipt.state) in MOVES:
        first_us = last_us if receipt.state in HAVE else None
        connection.execute(
            "UPDATE delivery SET state = ?, code = ?, repeats = max(repeats, ?), after_us = coalesce(after_us, ?),"
            " last_us = max(coalesce(last_us, 0), ?) WHERE message = ? AND node = ?",
            (int(receipt.state), receipt.code, receipt.repeats, first_us, last_us, found[0], index),
        )
