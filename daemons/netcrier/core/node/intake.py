"""Messages on their way into a node's inbox: whole ones at once, those in blocks as their pieces are put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from netcrier.core.node.assembly import Assembly
from netcrier.core.node.batch import Arrival, Batch, Lane
from netcrier.core.node.inbox import Inbox, Verdict
from netcrier.core.parity import Parity
from netcrier.errors import DecodeError
from netcrier.ids import MessageId
from netcrier.wire.block import Block
from netcrier.wire.envelope import Digest
from netcrier.wire.fragment import Fragment
from netcrier.wire.message import Message
from netcrier.wire.skip import Skip

_VERDICTS = {
    Verdict.KNOWN: "duplicate",
    Verdict.CONFLICT: "conflict",
    Verdict.NO_LANE: "not enrolled",
    Verdict.OTHER_TERM: "other term",
    Verdict.TOO_FAR: "too far ahead",
}


class Intake:
    """See the module. `chance` gives a float in [0, 1)."""

    def __init__(self, lanes: Iterable[Lane], chance: Callable[[], float], parity: Parity | None) -> None:
        self.inbox = Inbox(lanes)
        self.assembly = Assembly(chance, parity)
        self.inbox.coming = self.assembly.coming

    def check(self, message: Message, digest: Digest, now: float) -> None:
        """Returns where the message is new; DecodeError says why it is not. Costs no signature check."""
        verdict = self._verdict(message, digest, now)
        if verdict is not Verdict.NEW:
            raise DecodeError(_VERDICTS[verdict])

    def message(self, arrival: Arrival, now: float) -> None:
        """A verified message; what goes in blocks waits for its pieces, unless its content is not wanted."""
        in_pieces = arrival.message.blocks and not arrival.withheld
        self._offer(self.assembly.message(arrival, now) if in_pieces else arrival)

    def block(self, block: Block, now: float) -> None:
        """Hashes of fragments."""
        self._expect(block.message)
        self._offer(self.assembly.block(block, now))

    def fragment(self, piece: Fragment, now: float) -> None:
        """A part of a body."""
        self._expect(piece.message)
        arrival = self.assembly.fragment(piece, now)
        if arrival is not None:
            self._offer(arrival)

    def parity(self, piece: Fragment, now: float) -> None:
        """What stands for any lacking part of a block."""
        self._expect(piece.message)
        self._offer(self.assembly.parity(piece, now))

    def skip(self, skip: Skip) -> None:
        """Verified numbers that this node does not get; DecodeError where they do not follow its mark."""
        verdict = self.inbox.skip(skip)
        if verdict is not Verdict.NEW:
            raise DecodeError(_VERDICTS[verdict])

    def committed(self, batch: Batch) -> None:
        """The batch is on disk."""
        self.inbox.committed(batch)
        self._settled(batch)

    def failed(self, batch: Batch) -> None:
        """It is not; its messages lack again."""
        self.inbox.failed(batch)
        self._settled(batch)

    def _settled(self, batch: Batch) -> None:
        self.assembly.settled((arrival.message.id for arrival in batch.arrivals), self.inbox.lanes)

    def _verdict(self, message: Message, digest: Digest, now: float) -> Verdict:
        """As `Inbox.check`, also for a message that is being put together."""
        identity = message.id
        if self.assembly.coming and (known := self.assembly.digest_of(identity)) is not None:
            self.assembly.ended(identity, now)
            return Verdict.KNOWN if known == digest else Verdict.CONFLICT
        verdict = self.inbox.check(identity, digest)
        if verdict is Verdict.NEW and message.blocks and not self.inbox.takes(identity):
            return Verdict.TOO_FAR
        return verdict

    def _expect(self, message: MessageId) -> None:
        """Refuse pieces of what is here or too far ahead."""
        if not self.assembly.has(message) and not self.inbox.takes(message):
            raise DecodeError("duplicate")

    def _offer(self, arrival: Arrival | None) -> None:
        if arrival is None:
            return
        if self.inbox.check(arrival.message.id, arrival.digest) is Verdict.NEW:
            self.inbox.offer(arrival)
        else:  # skipped while its pieces came
            self.assembly.settled([arrival.message.id], self.inbox.lanes)
