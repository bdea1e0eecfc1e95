"""Messages in the master's store: what was sent, under which number, for which request, and what lanes go on from."""

from __future__ import annotations

from typing import Final

import msgspec

from netcrier.core.delivery import OPEN
from netcrier.core.master.composer import Composed
from netcrier.core.master.conditions import Condition
from netcrier.core.master.outbox import OutLane
from netcrier.ids import LANES, MessageId
from netcrier.masterd.retention import Retention, drop_old
from netcrier.masterd.store.database import Database
from netcrier.wire.envelope import Digest
from netcrier.wire.message import decode_message

BEGINNING: Final = 8 * 1024
"""Bytes of a body that lists show: a thousand of them fit one reply; `body` has all of it."""

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


_APART = f"(SELECT substr(data, 1, {BEGINNING}) FROM body WHERE body.message = number)"  # noqa: S608 - ours
_COLUMNS = f"number, term, lane, sequence, sent_us, signed, size, selector, expires_us, {_APART}"


def _beginning(signed: bytes | None, apart: bytes | None) -> bytes:
    """Of the body: in the signed message, or apart from it where it went in blocks."""
    return apart or (decode_message(signed).body if signed else b"")


class Messages:
    """See the module. `signed_message` and `body` are a Shelf."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, composed: Composed, request: str) -> None:
        """The message, its number, whom it is expected by, and the request that made it."""
        identity, condition = composed.id, composed.condition
        name = (identity.term, identity.lane, identity.sequence)
        with self._database.written() as connection:
            number = connection.execute(
                "INSERT INTO message VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *name, composed.plaintext, composed.digest, composed.chain, composed.sent_us, composed.size,
                    composed.selector, condition.expires_us if condition else None,
                ),
            ).lastrowid  # fmt: skip
            if composed.body:
                connection.execute("INSERT INTO body VALUES (?, ?)", (number, composed.body))
            connection.executemany(
                "INSERT INTO delivery VALUES (?, ?, 0, NULL, NULL, 0, 0, 0)",
                [(number, index) for index in composed.expected],
            )
            connection.execute("DELETE FROM request WHERE sent_us < ?", (composed.sent_us - REQUESTS_KEPT_US,))
            connection.execute("INSERT INTO request VALUES (?, ?, ?, ?, ?)", (request, *name, composed.sent_us))

    def drop_old(self, keep: Retention, now_us: int) -> None:
        """Forget what is beyond the retention."""
        with self._database.written() as connection:
            drop_old(connection, keep, now_us)

    def lanes(self, term: int) -> list[OutLane]:
        """Every lane of the term, with digests and chains of what is kept."""
        lanes = []
        for lane in LANES:
            out = OutLane(lane)
            for sequence, chain in self._database.read(
                "SELECT sequence, chain FROM base WHERE term = ? AND lane = ?", term, lane
            ):
                out.lowest, out.base = sequence + 1, Digest(chain)
            rows = self._database.read(
                "SELECT digest, chain FROM message WHERE term = ? AND lane = ? AND sequence >= ? ORDER BY sequence",
                term, lane, out.lowest,
            )  # fmt: skip
            out.digests = [Digest(digest) for digest, _ in rows]
            out.chains = [Digest(chain) for _, chain in rows]
            lanes.append(out)
        return lanes

    def terms(self, newest: int) -> list[int]:
        """The terms before this one of which messages were sent, and last this one."""
        rows = self._database.read(
            "SELECT term FROM message WHERE term < ? UNION SELECT term FROM base WHERE term < ?", *[newest] * 2
        )
        return [*sorted(term for (term,) in rows), newest]

    def lowest(self, term: int) -> dict[int, int]:
        """The first number that is kept of each lane of which something was dropped."""
        rows = self._database.read("SELECT lane, sequence FROM base WHERE term = ?", term)
        return {lane: sequence + 1 for lane, sequence in rows}

    def conditions(self, term: int) -> list[tuple[MessageId, Condition]]:
        """The conditions of the messages of this term that are kept and have some."""
        rows = self._database.read(
            "SELECT number, lane, sequence, selector, expires_us FROM message WHERE term = ? AND signed IS NOT NULL"
            " AND (selector != '' OR expires_us IS NOT NULL)",
            term,
        )
        found = []
        for number, lane, sequence, selector, expires_us in rows:
            nodes = self._database.read("SELECT node FROM delivery WHERE message = ? AND NOT unexpected", number)
            expected = frozenset(node for (node,) in nodes) if selector else None
            found.append((MessageId(term, lane, sequence), Condition(expected, expires_us)))
        return found

    def signed_message(self, identity: MessageId) -> bytes | None:
        """The signed plaintext, for repetition."""
        rows = self._database.read(
            "SELECT signed FROM message WHERE term = ? AND lane = ? AND sequence = ?",
            identity.term, identity.lane, identity.sequence,
        )  # fmt: skip
        return rows[0][0] if rows else None

    def body(self, identity: MessageId) -> bytes | None:
        """The body of a message in blocks."""
        rows = self._database.read(
            "SELECT data FROM body WHERE message = (SELECT number FROM message WHERE term = ? AND lane = ?"
            " AND sequence = ?)",
            identity.term, identity.lane, identity.sequence,
        )  # fmt: skip
        return rows[0][0] if rows else None

    def by_request(self, request: str, now_us: int) -> Stored | None:
        """The message that this request has made within a day."""
        rows = self._database.read(
            "SELECT term, lane, sequence FROM request WHERE id = ? AND sent_us >= ?", request, now_us - REQUESTS_KEPT_US
        )
        return self.find(MessageId(*rows[0])) if rows else None

    def find(self, identity: MessageId) -> Stored | None:
        """One message."""
        found = self._where(
            "term = ? AND lane = ? AND sequence = ?", identity.term, identity.lane, identity.sequence
        )  # fmt: skip
        return found[0] if found else None

    def newest(self, limit: int) -> list[Stored]:
        """The newest messages, the oldest of them first."""
        return self._where(
            "number IN (SELECT number FROM message WHERE signed IS NOT NULL ORDER BY number DESC LIMIT ?)", limit
        )

    def unfinished(self) -> list[Stored]:
        """Messages that some node can still receive, deliver or miss."""
        states = ", ".join(str(int(state)) for state in OPEN)
        return self._where(
            f"signed IS NOT NULL AND number IN (SELECT DISTINCT message FROM delivery WHERE state IN ({states}))"  # noqa: S608 - ours
        )

    def _where(self, condition: str, *values: str | int) -> list[Stored]:
        query = f"SELECT {_COLUMNS} FROM message WHERE {condition} ORDER BY number"  # noqa: S608 - ours
        return [
            Stored(
                number, MessageId(term, lane, sequence), sent_us, _beginning(signed, apart), size, selector, expires_us,
                signed is not None,
            )
            for number, term, lane, sequence, sent_us, signed, size, selector, expires_us, apart in self._database.read(
                query, *values
            )
        ]  # fmt: skip
