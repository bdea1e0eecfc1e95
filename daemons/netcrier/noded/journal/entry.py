"""A message in the journal: its row, and what is read of it."""

from __future__ import annotations

from typing import Final

import msgspec

from netcrier.core.node.batch import Arrival
from netcrier.ids import MasterId, MessageId
from netcrier.wire.report import Told

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS message(
    n INTEGER PRIMARY KEY, master BLOB, term INTEGER, lane INTEGER, sequence INTEGER, digest BLOB, body BLOB,
    sent_us INTEGER, received_us INTEGER, trust TEXT, told INTEGER, last INTEGER, selector TEXT, ttl_ms INTEGER,
    UNIQUE(master, term, lane, sequence));
"""
INSERT: Final = f"INSERT INTO message VALUES ({', '.join('?' * 11)}, NULL, ?, ?)"  # noqa: S608 - ours
SELECT: Final = """
SELECT n, master, term, lane, sequence, body, sent_us, received_us, trust, told, last, selector, ttl_ms FROM message"""


Row = tuple[bytes | int | str | None, ...]
"""The values of INSERT."""


class Entry(msgspec.Struct, frozen=True):
    """A deliverable message; with `told`, the messages from `id` to number `last` that the node is without for good."""

    n: int
    master: MasterId
    id: MessageId
    body: bytes
    sent_us: int
    received_us: int
    trust: str
    told: Told | None = None
    last: int = 0
    selector: str = ""
    ttl_ms: int = 0


def row_of(n: int, master: MasterId, trust: str, arrival: Arrival) -> Row:
    """A message as it is inserted; of one that is withheld only the number and the digest are of use."""
    message, withheld = arrival.message, arrival.withheld
    return (
        n, master, message.head.term, message.lane, message.sequence, arrival.digest, b"" if withheld else message.body,
        message.sent_us, arrival.received_us, trust, withheld, message.selector, message.ttl_ms,
    )  # fmt: skip


def released_entry(n: int, master: MasterId, trust: str, arrival: Arrival) -> Entry:
    """The same as it is read."""
    message = arrival.message
    return Entry(
        n, master, message.id, message.body, message.sent_us, arrival.received_us, trust, None, message.sequence,
        message.selector, message.ttl_ms,
    )  # fmt: skip


def entry_of(
    n: int, master: bytes, term: int, lane: int, sequence: int, body: bytes, sent_us: int, received_us: int, trust: str,
    told: int | None, last: int | None, selector: str, ttl_ms: int,
) -> Entry:  # fmt: skip
    """What a row of SELECT means."""
    return Entry(
        n, MasterId(master), MessageId(term, lane, sequence), body, sent_us, received_us, trust,
        None if told is None else Told(told), sequence if last is None else last, selector, ttl_ms,
    )  # fmt: skip


def place_of(entry: Entry) -> int:
    """By which entries are sorted."""
    return entry.n
