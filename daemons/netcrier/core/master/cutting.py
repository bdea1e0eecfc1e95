"""A body cut into blocks of fragments, with the hashes that bind them. Pieces are sliced off when they are sent."""

from __future__ import annotations

from collections.abc import Iterator

from netcrier.ids import MessageId
from netcrier.wire.block import (
    Block,
    block_digest,
    block_length,
    blocks_of,
    encode_block,
    fragment_hash,
)
from netcrier.wire.envelope import Digest
from netcrier.wire.fragment import Fragment, encode_fragment
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import FRAGMENT_SIZE, FRAGMENTS_MAX


class Cut:
    """One body that does not fit a datagram."""

    __slots__ = ("_hashes", "body")

    def __init__(self, body: bytes) -> None:
        self.body = body
        self._hashes = [
            tuple(fragment_hash(self.fragment(number, place)) for place in range(block_length(len(body), number)))
            for number in range(blocks_of(len(body)))
        ]

    @property
    def blocks(self) -> int:
        """How many."""
        return len(self._hashes)

    @property
    def fragments(self) -> int:
        """How many, in all blocks."""
        return sum(map(len, self._hashes))

    @property
    def digests(self) -> tuple[Digest, ...]:
        """Of the blocks, for the MESSAGE."""
        return tuple(map(block_digest, self._hashes))

    def count(self, number: int) -> int:
        """How many fragments a block has."""
        return len(self._hashes[number])

    def fragment(self, number: int, place: int) -> bytes:
        """One fragment."""
        start = (number * FRAGMENTS_MAX + place) * FRAGMENT_SIZE
        return self.body[start : start + FRAGMENT_SIZE]

    def fragments_in(self, number: int) -> list[bytes]:
        """A whole block."""
        return [self.fragment(number, place) for place in range(self.count(number))]

    def block_plaintext(self, message: MessageId, number: int) -> bytes:
        """The BLOCK, to seal."""
        return encode_block(Block(message, number, self._hashes[number]))

    def fragment_plaintext(self, message: MessageId, number: int, place: int) -> bytes:
        """The FRAGMENT, to seal."""
        return encode_fragment(Fragment(message, number, place, self.fragment(number, place)))

    def plaintexts(self, message: MessageId) -> Iterator[tuple[Kind, bytes]]:
        """Everything in order: each BLOCK, then its fragments."""
        for number in range(self.blocks):
            yield from self.block_plaintexts(message, number)

    def block_plaintexts(self, message: MessageId, number: int) -> Iterator[tuple[Kind, bytes]]:
        """One BLOCK, then its fragments."""
        yield Kind.BLOCK, self.block_plaintext(message, number)
        for place in range(self.count(number)):
            yield Kind.FRAGMENT, self.fragment_plaintext(message, number, place)
