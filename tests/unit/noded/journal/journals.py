"""Journals of one lane that tests fill: arrivals with short bodies, committed as noded does."""

from __future__ import annotations

from netcrier.core.node.batch import Arrival
from netcrier.core.node.inbox import Inbox, Verdict
from netcrier.ids import MasterId
from netcrier.noded.journal.journal import Journal
from netcrier.wire.envelope import digest
from netcrier.wire.message import Message
from netcrier.wire.signed import Head
from netcrier.wire.skip import Skip

MASTER = MasterId(b"m" * 16)
HEAD = Head(MASTER, 1, 1, 1)


def arrival(sequence: int, master: MasterId = MASTER) -> Arrival:
    """A message whose body names it."""
    message = Message(Head(master, 1, 1, sequence), 0, sequence, 2000, 1_000_000, b"body %d" % sequence)
    return Arrival(message, digest(message.body), 2_000_000)


def settle(journal: Journal, inbox: Inbox) -> None:
    """Commit what the inbox has."""
    batch = inbox.take_batch()
    assert batch
    journal.commit(batch, MASTER, "token")
    inbox.committed(batch)


def commit(journal: Journal, inbox: Inbox, *sequences: int) -> None:
    """These messages."""
    for sequence in sequences:
        inbox.offer(arrival(sequence))
    settle(journal, inbox)


def passed(journal: Journal, inbox: Inbox, skip: Skip) -> None:
    """These numbers, which the node will not have."""
    assert inbox.skip(skip) is Verdict.NEW
    settle(journal, inbox)
