"""How much the journal keeps: what leaves it as new messages come, and when it takes no more.

Messages below the newest KEPT_MESSAGES leave, in steps; bodies beyond KEPT_BYTES, the oldest first. Neither leaves
before the log has it or while handlers wait for it.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from netcrier.errors import StoreError
from netcrier.runtime.store import number

KEPT_MESSAGES = 10_000
"""Messages below the newest `n` that stay in the journal, for `netctl messages`; a few more until it is worth it, and
all that the log has not taken."""
FORGET_EACH = 100
KEPT_BYTES: Final = 256 << 20
"""Bytes of all bodies in the journal: beyond, the oldest that are logged leave it. Where the log takes nothing, twice
as many; then the journal refuses, and messages are asked for again."""
UNLOGGED_MESSAGES: Final = 100_000
"""Messages that the log has not taken, as on a full disk, however short: beyond, the journal refuses as well, and to
the master they are `pending`."""

_SIZES = "SELECT n, length(body) FROM message"
_NOT_NEEDED = "n BETWEEN 1 AND ? AND n NOT IN (SELECT n FROM run)"


class Room:
    """See the module. `database` is the journal's, used by its thread."""

    def __init__(self, database: sqlite3.Connection, kept_bytes: int, unlogged: int) -> None:
        self._database, self._kept_bytes, self._unlogged = database, kept_bytes, unlogged
        self._forgotten = 0
        self.held = number(self._database, "SELECT sum(length(body)) FROM message")
        """Bytes of all bodies, as of the last commit."""

    def refuse(self, logged: int, before: int, newest: int, size: int) -> None:
        """StoreError where the log, which has come to number `logged`, has not taken too much already for the journal
        to go from number `before` to `newest` by `size` bytes of bodies."""
        if size and self.held + size > 2 * self._kept_bytes:
            raise StoreError(f"the journal is full: {self.held:,} bytes that the log has not taken")
        if newest > max(before, logged + self._unlogged):
            raise StoreError(f"the journal is full: {before - logged:,} messages that the log has not taken")

    def over(self, logged: int, newest: int, size: int) -> bool:
        """Whether something has to leave, for `size` bytes more."""
        return self.held + size > self._kept_bytes or self._old(logged, newest) > 0

    def forget(self, logged: int, newest: int, size: int) -> int:
        """Within a transaction: what is beyond leaves; the bytes of bodies that stay."""
        old, held = self._old(logged, newest), self.held + size
        floor = min(max(old, self._beyond(logged, held - self._kept_bytes)), newest - 1)
        if floor <= 0:
            return held
        self._forgotten = max(old, self._forgotten)
        freed = number(self._database, f"SELECT sum(length(body)) FROM message WHERE {_NOT_NEEDED}", floor)  # noqa: S608 - ours
        self._database.execute(f"DELETE FROM message WHERE {_NOT_NEEDED}", (floor,))  # noqa: S608 - ours
        return held - freed

    def _old(self, logged: int, newest: int) -> int:
        """Up to which `n` messages are too old, 0 where it is not worth it yet."""
        old = min(newest - KEPT_MESSAGES, logged)
        return old if old >= self._forgotten + FORGET_EACH else 0

    def _beyond(self, logged: int, over: int) -> int:
        """Up to which `n` logged messages have to go, so that `over` bytes do."""
        floor = 0
        if over > 0:
            for n, size in self._database.execute(f"{_SIZES} WHERE {_NOT_NEEDED} ORDER BY n", (logged,)):
                if over <= 0:
                    break
                floor, over = n, over - size
        return floor
