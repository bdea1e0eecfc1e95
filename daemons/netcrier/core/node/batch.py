"""What a node takes in, as the shell commits it: messages, what they release or pass, and the lanes after it."""

from __future__ import annotations

import msgspec

from netcrier.core.outcomes import Untold
from netcrier.ids import MessageId
from netcrier.wire.envelope import NO_CHAIN, Digest
from netcrier.wire.message import Message
from netcrier.wire.report import Told


class Lane(msgspec.Struct, frozen=True):
    """One lane: everything up to `mark` is in the journal, `chain` is the digest there; `held` lies beyond a gap.

    `withheld` are those of `held` that will not be released.
    """

    lane: int
    term: int
    mark: int
    chain: Digest = NO_CHAIN
    held: tuple[tuple[int, Digest], ...] = ()
    withheld: tuple[tuple[int, Told], ...] = ()

    @property
    def extras(self) -> tuple[tuple[int, Digest], ...]:
        """What is held to be released."""
        if not self.held:
            return ()
        withheld = dict(self.withheld)
        return tuple((sequence, digest) for sequence, digest in self.held if sequence not in withheld)


class Arrival(msgspec.Struct, frozen=True):
    """A verified message on its way into the journal.

    `withheld`: why it is not released; `told`: what the master has to be told at once, with its code; `mended`: pieces
    of it were lost on their way.
    """

    message: Message
    digest: Digest
    received_us: int
    withheld: Told | None = None
    told: Told | None = None
    code: int = 0
    mended: bool = False


class Passed(msgspec.Struct, frozen=True):
    """Numbers from `id` to `last` that the node is without for good: MISSED or GAP."""

    id: MessageId
    last: int
    told: Told


class Batch(msgspec.Struct, frozen=True):
    """One commit: rows to insert, what becomes deliverable or is passed (in order), the lanes after it, what to tell.

    Each part may be empty but `lanes`. `left`: lanes that leave their term, as they were before.
    """

    arrivals: tuple[Arrival, ...]
    released: tuple[MessageId | Passed, ...]
    lanes: tuple[Lane, ...]
    untold: tuple[Untold, ...] = ()
    left: tuple[Lane, ...] = ()
