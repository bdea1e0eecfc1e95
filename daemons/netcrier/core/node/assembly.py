"""The node's side of messages in blocks: pieces are put together as they come, in any order, and fetched as they lack.

Theory of operation
- A verified MESSAGE binds its BLOCKs, a BLOCK its fragments. What comes before that which binds it is kept and verified
  later: one lost BLOCK does not cost its 32 fragments.
- The path of a fragment is short: one hash, one entry in a dict; no timer is set for it. A partial message is looked at
  when its time comes, and if pieces still flow by then, later.
- A whole body counts as held until its commit is settled, so that a slow disk slows the fetching.
- Nothing here is durable: after a restart the number lacks, and all of it is fetched again.

Rules: at most ASSEMBLY_MAX bytes are held. The urgent lane, then the lowest number goes before: it is the one that lets
others be delivered, and always finds room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from msgspec.structs import replace

from netcrier.core.node.batch import Arrival, Lane
from netcrier.core.pacing import QUIET, QUIET_REPAIR, request_delay, retry_delay
from netcrier.core.parity import Parity
from netcrier.errors import DecodeError
from netcrier.ids import URGENT_LANE, MessageId
from netcrier.wire.block import Block, block_digest, block_length, fragment_hash
from netcrier.wire.envelope import Digest
from netcrier.wire.fetch import Lack, bitmap_of
from netcrier.wire.fragment import Fragment
from netcrier.wire.limits import ASSEMBLY_MAX, FRAGMENT_SIZE, FRAGMENTS_MAX


@dataclass(slots=True)
class _Block:
    """The pieces of one block. `hashes` are verified; `claimed` came before the MESSAGE and are not."""

    hashes: tuple[Digest, ...] | None = None
    claimed: tuple[Digest, ...] | None = None
    parts: dict[int, bytes] = field(default_factory=dict)
    parity: dict[int, bytes] = field(default_factory=dict)
    whole: bool = False

    @property
    def held(self) -> int:
        return sum(map(len, self.parts.values())) + sum(map(len, self.parity.values()))


@dataclass(slots=True)
class _Partial:
    """A message of which something has come. `arrival`: its MESSAGE, verified."""

    id: MessageId
    arrival: Arrival | None = None
    blocks: dict[int, _Block] = field(default_factory=dict)
    held: int = 0
    heard_at: float = 0.0
    ask_at: float = 0.0
    attempts: int = 0
    quiet: float = QUIET

    @property
    def rank(self) -> tuple[bool, int]:
        """The lowest goes before."""
        return (self.id.lane != URGENT_LANE, self.id.sequence)

    def block(self, number: int) -> _Block:
        found = self.blocks.get(number)
        if found is None:
            found = self.blocks[number] = _Block()
        return found


class Assembly:
    """See the module. `chance` gives a float in [0, 1); `parity` is None where the code is not installed."""

    def __init__(self, chance: Callable[[], float], parity: Parity | None) -> None:
        self.coming: set[MessageId] = set()
        """Messages whose MESSAGE is here: they are fetched, not requested."""
        self.held = 0
        self.timer: float | None = None
        self._chance, self._parity = chance, parity
        self._partials: dict[MessageId, _Partial] = {}
        self._settling: dict[MessageId, int] = {}

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
                if self._binds(arrival, number, claimed):
                    self._bind(partial, number, claimed)
        self._arm(partial.ask_at)
        return self._whole(partial)

    def block(self, block: Block, now: float) -> Arrival | None:
        """A BLOCK; the message where this made it whole."""
        partial = self._partial(block.message, now)
        mine = partial.block(block.number)
        if mine.hashes or mine.claimed == block.hashes:
            raise DecodeError("duplicate")
        partial.heard_at = now
        if partial.arrival is None:
            mine.claimed = block.hashes
            return None
        if not self._binds(partial.arrival, block.number, block.hashes):
            raise DecodeError("bad block")
        self._bind(partial, block.number, block.hashes)
        return self._whole(partial)

    def fragment(self, piece: Fragment, now: float) -> Arrival | None:
        """A FRAGMENT; the message where this made it whole."""
        identity, number, place, data = piece
        partial = self._partials.get(identity) or self._partial(identity, now)
        block = partial.block(number)
        if place in block.parts:
            raise DecodeError("duplicate")
        hashes = block.hashes
        if hashes is not None and (place >= len(hashes) or fragment_hash(data) != hashes[place]):
            raise DecodeError("bad fragment")
        self._hold(partial, len(data))
        block.parts[place] = data
        partial.heard_at, partial.attempts = now, 0
        if hashes is None:
            return None
        if len(block.parts) + len(block.parity) < len(hashes):
            return None
        self._restore(partial, number)
        return self._whole(partial)

    def parity(self, piece: Fragment, now: float) -> Arrival | None:
        """A PARITY; the message where this made it whole."""
        identity, number, place, data = piece
        if self._parity is None:
            raise DecodeError("no use")
        partial = self._partials.get(identity) or self._partial(identity, now)
        block = partial.block(number)
        if block.whole or place in block.parity:
            raise DecodeError("duplicate")
        self._hold(partial, len(data))
        block.parity[place] = data
        partial.heard_at, partial.attempts = now, 0
        if block.hashes is None or len(block.parts) + len(block.parity) < len(block.hashes):
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
        """What to fetch now: the messages that go before, as many as there is room for."""
        found = []
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
                found.append((partial.id, self._lacks(partial)))
                partial.ask_at = now + retry_delay(partial.attempts, self._chance())
                partial.attempts += 1
        self.timer = min((partial.ask_at for partial in known), default=None)
        return found

    # How it works

    def _partial(self, identity: MessageId, now: float) -> _Partial:
        partial = self._partials.get(identity)
        if partial is None:
            partial = self._partials[identity] = _Partial(identity, heard_at=now)
        return partial

    def _arm(self, at: float) -> None:
        if self.timer is None or at < self.timer:
            self.timer = at

    def _ask_soon(self, partial: _Partial, now: float) -> None:
        partial.quiet = QUIET_REPAIR
        partial.ask_at = now + request_delay(self._chance())
        partial.heard_at = now - partial.quiet
        self._arm(partial.ask_at)

    def _hold(self, partial: _Partial, size: int) -> None:
        """Make room for a piece; DecodeError `no room` where the message is the last in rank."""
        while self.held + size > ASSEMBLY_MAX:
            last = max((one for one in self._partials.values() if one.held or one is partial), key=lambda one: one.rank)
            if last is partial:
                raise DecodeError("no room")
            for number in list(last.blocks):
                self._drop(last, number)
        self.held += size
        partial.held += size

    def _drop(self, partial: _Partial, number: int) -> None:
        """Give up the pieces of a block."""
        self._release(partial, partial.blocks.pop(number).held)

    def _release(self, partial: _Partial, size: int) -> None:
        self.held -= size
        partial.held -= size

    def _forget(self, partial: _Partial) -> None:
        self._release(partial, partial.held)
        self.coming.discard(partial.id)
        del self._partials[partial.id]

    @staticmethod
    def _binds(arrival: Arrival, number: int, hashes: tuple[Digest, ...]) -> bool:
        blocks = arrival.message.blocks
        return number < len(blocks) and block_digest(hashes) == blocks[number]

    def _bind(self, partial: _Partial, number: int, hashes: tuple[Digest, ...]) -> None:
        """The block is verified: keep of its pieces what its hashes know."""
        assert partial.arrival
        if len(hashes) != block_length(partial.arrival.message.size, number):
            raise DecodeError("malformed", "a block of another length")
        block = partial.block(number)
        block.hashes = hashes
        for place, data in list(block.parts.items()):
            if place >= len(hashes) or fragment_hash(data) != hashes[place]:
                self._release(partial, len(block.parts.pop(place)))
        if len(block.parts) + len(block.parity) >= len(hashes):
            self._restore(partial, number)

    def _restore(self, partial: _Partial, number: int) -> None:
        """Enough pieces of a block are here: make it whole; DecodeError `bad parity` where they do not fit."""
        block = partial.blocks[number]
        hashes = block.hashes
        assert hashes
        before = block.held if block.parity else 0
        if len(block.parts) < len(hashes):
            assert self._parity
            restored = self._parity.restored(block.parts | block.parity, len(hashes))
            for place in set(range(len(hashes))) - block.parts.keys():
                data = restored[place][: self._length(partial, number, place)]
                if fragment_hash(data) != hashes[place]:
                    self._release(partial, sum(map(len, block.parity.values())))
                    block.parity.clear()
                    raise DecodeError("bad parity")
                block.parts[place] = data
        block.whole = True
        if before:
            block.parity.clear()
            self._release(partial, before - block.held)

    @staticmethod
    def _length(partial: _Partial, number: int, place: int) -> int:
        assert partial.arrival
        start = (number * FRAGMENTS_MAX + place) * FRAGMENT_SIZE
        return min(FRAGMENT_SIZE, partial.arrival.message.size - start)

    def _whole(self, partial: _Partial) -> Arrival | None:
        """The message where nothing of it lacks; it stays counted until it is settled."""
        arrival, blocks = partial.arrival, partial.blocks
        if arrival is None or len(blocks) < len(arrival.message.blocks):
            return None
        if not all(block.whole for block in blocks.values()):
            return None
        body = b"".join(
            blocks[number].parts[place] for number in sorted(blocks) for place in sorted(blocks[number].parts)
        )
        held = partial.held
        self._forget(partial)
        if len(body) != arrival.message.size:
            raise DecodeError("malformed", f"a body of {len(body)} bytes")
        self._settling[partial.id] = held
        self.held += held
        return replace(arrival, message=replace(arrival.message, body=body))

    def _lacks(self, partial: _Partial) -> tuple[Lack, ...]:
        assert partial.arrival
        message = partial.arrival.message
        lacks = []
        for number in range(len(message.blocks)):
            block = partial.blocks.get(number) or _Block()
            if not block.whole:
                places = [at for at in range(block_length(message.size, number)) if at not in block.parts]
                need = max(0, len(places) - len(block.parity))
                lacks.append(Lack(number, block.hashes is None, need, bitmap_of(places)))
        return tuple(lacks)
