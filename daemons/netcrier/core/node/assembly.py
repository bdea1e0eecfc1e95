"""The node's side of messages in blocks: pieces are put together as they come, in any order, and fetched as they lack.

Theory of operation
- A verified MESSAGE binds its BLOCKs, a BLOCK its fragments. What comes before that which binds it is kept and verified
  later: one lost BLOCK does not cost its 32 fragments.
- The path of a fragment is short: one hash, one entry in a dict; no timer is set for it. A partial message is looked at
  when its time comes, and if pieces still flow by then, later.
- What parity has restored was lost, too: a node that needs no FETCH says by one what it has lost, so that the master
  can judge the path.
- A whole body counts as held until its commit is settled, so that a slow disk slows the fetching.
- Nothing here is durable: after a restart the number lacks, and all of it is fetched again.

Rules: at most ASSEMBLY_MAX bytes are held. What has its MESSAGE goes before what has not, then the urgent lane, then
the lowest number: it is the one that lets others be delivered, and always finds room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

from msgspec.structs import replace

from netcrier.core.node.batch import Arrival, Lane
from netcrier.core.node.partial import Partial
from netcrier.core.pacing import QUIET, QUIET_REPAIR, request_delay, retry_delay
from netcrier.core.parity import Parity
from netcrier.errors import DecodeError
from netcrier.ids import MessageId
from netcrier.wire.block import Block, fragment_hash
from netcrier.wire.envelope import Digest
from netcrier.wire.fetch import Lack
from netcrier.wire.fragment import Fragment
from netcrier.wire.limits import ASSEMBLY_MAX


class Assembly:
    """See the module. `chance` gives a float in [0, 1); `parity` is None where the code is not installed."""

    def __init__(self, chance: Callable[[], float], parity: Parity | None) -> None:
        self.coming: set[MessageId] = set()
        """Messages whose MESSAGE is here: they are fetched, not requested."""
        self.held = 0
        self.timer: float | None = None
        self._chance, self._parity = chance, parity
        self._partials: dict[MessageId, Partial] = {}
        self._settling: dict[MessageId, int] = {}
        self._losses: list[tuple[MessageId, tuple[Lack, ...]]] = []
        """Of whole messages, to be told."""

    @property
    def parity_of_use(self) -> bool:
        """Whether this node can restore fragments from parity."""
        return self._parity is not None

    def digest_of(self, message: MessageId) -> Digest | None:
        """The digest of a MESSAGE that is here."""
        partial = self._partials.get(message)
        return partial.arrival.digest if partial and partial.arrival else None

    def ended(self, message: MessageId, now: float) -> None:
        """Its MESSAGE has come again: all of it has been sent once, what lacks now is lost."""
        partial = self._partials.get(message)
        if partial and partial.arrival:
            self._ask_soon(partial, now)

    @property
    def lacking(self) -> int:
        """Bytes that lack of the messages whose MESSAGE is here."""
        known = (one for one in self._partials.values() if one.arrival)
        return sum(max(0, one.arrival.message.size - one.held) for one in known if one.arrival)

    def hold(self, now: float, pause: float) -> None:
        """Something else brings what lacks: fetch nothing for `pause` seconds."""
        for partial in self._partials.values():
            partial.ask_at = now + pause
        self.timer = now + pause if self.coming else None

    def has(self, message: MessageId) -> bool:
        """Whether something of it is here."""
        return message in self._partials

    def message(self, arrival: Arrival, now: float) -> Arrival | None:
        """A verified MESSAGE in blocks; the whole message where all of it had come before."""
        identity = arrival.message.id
        partial = self._partial(identity, now)
        partial.arrival = arrival
        partial.ask_at = now + QUIET
        self.coming.add(identity)
        for number, block in list(partial.blocks.items()):
            if number >= len(arrival.message.blocks):
                self._drop(partial, number)
            elif block.claimed:
                claimed, block.claimed = block.claimed, None
                if partial.binds(number, claimed):
                    with suppress(DecodeError):  # forged parity: it is given up, and the other blocks are bound
                        self._bind(partial, number, claimed)
        self._arm(partial.ask_at)
        return self._whole(partial)

    def block(self, block: Block, now: float) -> Arrival | None:
        """A BLOCK; the message where this made it whole."""
        partial = self._partial(block.message, now)
        mine = partial.block(block.number)
        if mine.hashes or mine.claimed == block.hashes:
            raise DecodeError("duplicate")
        partial.heard_at, partial.attempts = now, 0
        if partial.arrival is None:
            mine.claimed = block.hashes
            return None
        if not partial.binds(block.number, block.hashes):
            raise DecodeError("bad block")
        self._bind(partial, block.number, block.hashes)
        return self._whole(partial)

    def fragment(self, piece: Fragment, now: float) -> Arrival | None:
        """A FRAGMENT; the message where this made it whole."""
        number, place, data = piece.block, piece.place, piece.data
        partial = self._partials.get(piece.message) or self._partial(piece.message, now)
        block = partial.blocks.get(number) or partial.block(number)
        if place in block.parts:
            raise DecodeError("duplicate")
        hashes = block.hashes
        if hashes is not None and (place >= len(hashes) or fragment_hash(data) != hashes[place]):
            raise DecodeError("bad fragment")
        self._hold(partial, len(data))
        block.parts[place] = data
        partial.heard_at, partial.attempts = now, 0
        if hashes is None or len(block.parts) + len(block.parity) < len(hashes):
            return None
        self._restore(partial, number)
        return self._whole(partial)

    def parity(self, piece: Fragment, now: float) -> Arrival | None:
        """A PARITY; the message where this made it whole."""
        number, place, data = piece.block, piece.place, piece.data
        if self._parity is None:
            raise DecodeError("no use")
        partial = self._partials.get(piece.message) or self._partial(piece.message, now)
        block = partial.block(number)
        if block.whole or place in block.parity:
            raise DecodeError("duplicate")
        self._hold(partial, len(data))
        block.parity[place] = data
        partial.heard_at, partial.attempts = now, 0
        if not block.enough:
            return None
        self._restore(partial, number)
        return self._whole(partial)

    def settled(self, messages: Iterable[MessageId], lanes: Iterable[Lane]) -> None:
        """These bodies are in the journal or given up; what lies at or below a lane's mark lacks no more."""
        if not self._partials and not self._settling:
            return
        for identity in messages:
            self.held -= self._settling.pop(identity, 0)
        states = {lane.lane: lane for lane in lanes}
        for partial in list(self._partials.values()):
            lane = states.get(partial.id.lane)
            if lane is None or lane.term != partial.id.term or partial.id.sequence <= lane.mark:
                self._forget(partial)

    def due(self, now: float) -> list[tuple[MessageId, tuple[Lack, ...]]]:
        """What to fetch now: the messages that go before, as many as there is room for; what whole ones have lost."""
        found, self._losses = self._losses, []
        room = ASSEMBLY_MAX - sum(self._settling.values())
        known = sorted((partial for partial in self._partials.values() if partial.arrival), key=lambda one: one.rank)
        for place, partial in enumerate(known):
            assert partial.arrival
            room -= partial.arrival.message.size
            if partial.ask_at > now:
                continue
            if partial.heard_at + partial.quiet > now:
                partial.ask_at = partial.heard_at + partial.quiet * (1 + self._chance())
            elif place and room < 0:
                partial.ask_at = now + retry_delay(partial.attempts, self._chance())
            else:
                found.append((partial.id, partial.lacks()))
                partial.told = True
                partial.ask_at = now + retry_delay(partial.attempts, self._chance())
                partial.attempts += 1
        self.timer = min((partial.ask_at for partial in known), default=None)
        return found

    # How it works

    def _partial(self, identity: MessageId, now: float) -> Partial:
        partial = self._partials.get(identity)
        if partial is None:
            partial = self._partials[identity] = Partial(identity, heard_at=now)
        return partial

    def _arm(self, at: float) -> None:
        if self.timer is None or at < self.timer:
            self.timer = at

    def _ask_soon(self, partial: Partial, now: float) -> None:
        partial.quiet = QUIET_REPAIR
        partial.ask_at = now + request_delay(self._chance())
        partial.heard_at = now - partial.quiet
        self._arm(partial.ask_at)

    def _hold(self, partial: Partial, size: int) -> None:
        """Make room for a piece; DecodeError `no room` where the message is the last in rank."""
        while self.held + size > ASSEMBLY_MAX:
            holders = (one for one in self._partials.values() if one.held or one is partial)
            last = max(holders, key=lambda one: (one.arrival is None, one.rank))  # anyone may send what none has signed
            if last is partial:
                raise DecodeError("no room")
            for number in list(last.blocks):
                self._drop(last, number)
        self.held += size
        partial.held += size

    def _drop(self, partial: Partial, number: int) -> None:
        """Give up the pieces of a block."""
        before = partial.held
        partial.drop(number)
        self.held += partial.held - before

    def _forget(self, partial: Partial) -> None:
        self.held -= partial.held
        self.coming.discard(partial.id)
        del self._partials[partial.id]

    def _bind(self, partial: Partial, number: int, hashes: tuple[Digest, ...]) -> None:
        """A block is verified."""
        before = partial.held
        partial.bind(number, hashes)
        self.held += partial.held - before
        if partial.block(number).enough:
            self._restore(partial, number)

    def _restore(self, partial: Partial, number: int) -> None:
        """Enough pieces of a block are here."""
        before = partial.held
        try:
            partial.restore(number, self._parity)
        finally:
            self.held += partial.held - before

    def _whole(self, partial: Partial) -> Arrival | None:
        """The message where nothing of it lacks; it stays counted until it is settled."""
        if not partial.whole:
            return None
        arrival, held = partial.arrival, partial.held
        assert arrival
        mended = partial.told
        if not mended and (lost := partial.lacks()):
            mended = True
            self._losses.append((partial.id, lost))
            self._arm(partial.heard_at)
        self._forget(partial)
        body = partial.body
        self._settling[partial.id] = held
        self.held += held
        return replace(arrival, message=replace(arrival.message, body=body), mended=mended)
