"""A message in blocks of which something has come: its pieces, and what the hashes say of them.

What came before that which binds it is kept unverified; as soon as it is bound, what does not fit is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from netcrier.core.node.batch import Arrival
from netcrier.core.pacing import QUIET
from netcrier.core.parity import Parity
from netcrier.errors import DecodeError
from netcrier.ids import URGENT_LANE, MessageId
from netcrier.wire.block import block_digest, block_length, fragment_hash
from netcrier.wire.envelope import Digest
from netcrier.wire.fetch import Lack, bitmap_of
from netcrier.wire.limits import FRAGMENT_SIZE, FRAGMENTS_MAX


@dataclass(slots=True)
class Pieces:
    """Those of one block. `hashes` are verified; `claimed` came before the MESSAGE and are not."""

    hashes: tuple[Digest, ...] | None = None
    claimed: tuple[Digest, ...] | None = None
    parts: dict[int, bytes] = field(default_factory=dict)
    parity: dict[int, bytes] = field(default_factory=dict)
    whole: bool = False
    restored: int = 0
    """The bitmap of the fragments that parity has restored."""

    @property
    def held(self) -> int:
        """Bytes."""
        return sum(map(len, self.parts.values())) + sum(map(len, self.parity.values()))

    @property
    def enough(self) -> bool:
        """Whether the block can be made whole."""
        return self.hashes is not None and len(self.parts) + len(self.parity) >= len(self.hashes)


@dataclass(slots=True)
class Partial:
    """One message. `arrival`: its MESSAGE, verified; `held`: bytes of its pieces; the rest says when to fetch.

    `told`: whether the master has been told what was lost.
    """

    id: MessageId
    arrival: Arrival | None = None
    blocks: dict[int, Pieces] = field(default_factory=dict)
    held: int = 0
    heard_at: float = 0.0
    ask_at: float = 0.0
    attempts: int = 0
    quiet: float = QUIET
    told: bool = False

    @property
    def rank(self) -> tuple[bool, int]:
        """The lowest goes before."""
        return (self.id.lane != URGENT_LANE, self.id.sequence)

    def block(self, number: int) -> Pieces:
        """A block's pieces. DecodeError `bad block` where the MESSAGE is here and has no such block."""
        found = self.blocks.get(number)
        if found is None:
            if self.arrival and number >= len(self.arrival.message.blocks):
                raise DecodeError("bad block")
            found = self.blocks[number] = Pieces()
        return found

    def binds(self, number: int, hashes: tuple[Digest, ...]) -> bool:
        """Whether the MESSAGE, which is here, says that these are the hashes of the block."""
        assert self.arrival
        blocks = self.arrival.message.blocks
        return number < len(blocks) and block_digest(hashes) == blocks[number]

    def bind(self, number: int, hashes: tuple[Digest, ...]) -> None:
        """The block is verified: keep of its pieces what its hashes know. DecodeError for one of another length."""
        assert self.arrival
        if len(hashes) != block_length(self.arrival.message.size, number):
            raise DecodeError("malformed", "a block of another length")
        block = self.block(number)
        block.hashes = hashes
        for place, data in list(block.parts.items()):
            if place >= len(hashes) or fragment_hash(data) != hashes[place]:
                self.held -= len(block.parts.pop(place))

    def restore(self, number: int, parity: Parity | None) -> None:
        """Enough pieces of a block are here: make it whole; DecodeError `bad parity` where they do not fit."""
        block = self.blocks[number]
        hashes = block.hashes
        assert hashes
        if not block.parity:
            block.whole = True
            return
        before = block.held
        try:
            if len(block.parts) < len(hashes):
                assert parity
                self._fill(block, number, hashes, parity)
            block.whole = True
        finally:
            block.parity.clear()
            self.held += block.held - before

    def _fill(self, block: Pieces, number: int, hashes: tuple[Digest, ...], parity: Parity) -> None:
        restored = parity.restored(block.parts | block.parity, len(hashes))
        lost = [place for place in range(len(hashes)) if place not in block.parts]
        for place in lost:
            data = restored[place][: self._length(number, place)]
            if fragment_hash(data) != hashes[place]:
                raise DecodeError("bad parity")
            block.parts[place] = data
        block.restored = bitmap_of(lost)

    def drop(self, number: int) -> None:
        """Give up the pieces of a block."""
        self.held -= self.blocks.pop(number).held

    @property
    def whole(self) -> bool:
        """Whether nothing lacks."""
        arrival, blocks = self.arrival, self.blocks
        if arrival is None or len(blocks) < len(arrival.message.blocks):
            return False
        return all(block.whole for block in blocks.values())

    @property
    def body(self) -> bytes:
        """Of a whole one. DecodeError where it has another size than its MESSAGE says."""
        assert self.arrival
        blocks = self.blocks
        body = b"".join(
            blocks[number].parts[place] for number in sorted(blocks) for place in sorted(blocks[number].parts)
        )
        if len(body) != self.arrival.message.size:
            raise DecodeError("malformed", f"a body of {len(body)} bytes")
        return body

    def lacks(self) -> tuple[Lack, ...]:
        """What of it is to be fetched, and what has been restored: of that nothing is needed. Its MESSAGE is here."""
        assert self.arrival
        message = self.arrival.message
        lacks = []
        for number in range(len(message.blocks)):
            block = self.blocks.get(number) or Pieces()
            if not block.whole:
                places = [at for at in range(block_length(message.size, number)) if at not in block.parts]
                need = max(0, len(places) - len(block.parity))
                lacks.append(Lack(number, block.hashes is None, need, bitmap_of(places)))
            elif block.restored:
                lacks.append(Lack(number, False, 0, block.restored))
        return tuple(lacks)

    def _length(self, number: int, place: int) -> int:
        assert self.arrival
        start = (number * FRAGMENTS_MAX + place) * FRAGMENT_SIZE
        return min(FRAGMENT_SIZE, self.arrival.message.size - start)
