"""BLOCK: the hashes of a block of fragments, and how a body is cut into them.

    term 4, lane 1, sequence 8, block 2, hashes 16 each (all that the block has fragments)

Not signed: the MESSAGE carries the digest of every block's hashes and is signed, so one signature binds the whole body,
and with it the chain of every receipt.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import msgspec

from netcrier.errors import DecodeError
from netcrier.ids import LANES, MessageId
from netcrier.wire.codec import Reader, Writer
from netcrier.wire.envelope import DIGEST_SIZE, Digest
from netcrier.wire.limits import BLOCKS_MAX, BODY_MAX, FRAGMENT_SIZE, FRAGMENTS_MAX, MESSAGE_MAX

_FRAGMENT: Final = blake2b(digest_size=DIGEST_SIZE, person=b"nc fragment")
"""Copied for each: its parameters are read once."""


class Block(msgspec.Struct, frozen=True):
    """The hashes of the fragments of one block, `number` from 0."""

    message: MessageId
    number: int
    hashes: tuple[Digest, ...]


def fragments_of(size: int) -> int:
    """How many fragments a body of so many bytes has: 0 where it fits into one datagram."""
    return -(-size // FRAGMENT_SIZE) if size > BODY_MAX else 0


def blocks_of(size: int) -> int:
    """How many blocks that is."""
    return -(-fragments_of(size) // FRAGMENTS_MAX)


def block_length(size: int, number: int) -> int:
    """How many fragments this block of such a body has."""
    return min(FRAGMENTS_MAX, fragments_of(size) - number * FRAGMENTS_MAX)


def fragment_hash(data: bytes) -> Digest:
    """What a BLOCK says of a fragment."""
    hasher = _FRAGMENT.copy()
    hasher.update(data)
    return Digest(hasher.digest())


def block_digest(hashes: tuple[Digest, ...]) -> Digest:
    """What a MESSAGE says of a block."""
    return Digest(blake2b(b"".join(hashes), digest_size=DIGEST_SIZE, person=b"nc block").digest())


def encode_block(block: Block) -> bytes:
    """The plaintext to seal."""
    message = block.message
    writer = Writer().uint(message.term, 4).uint(message.lane, 1).uint(message.sequence, 8).uint(block.number, 2)
    return bytes(writer.put(b"".join(block.hashes)))


def decode_block(plaintext: bytes) -> Block:
    """The inverse of `encode_block`."""
    reader = Reader(plaintext)
    message = MessageId(reader.uint(4), reader.uint(1), reader.uint(8))
    number, hashes = reader.uint(2), reader.rest()
    starts = range(0, len(hashes), DIGEST_SIZE)
    if len(hashes) % DIGEST_SIZE or not 1 <= len(starts) <= FRAGMENTS_MAX:
        raise DecodeError("malformed", "block")
    if number >= BLOCKS_MAX or message.lane not in LANES:
        raise DecodeError("malformed", "block")
    return Block(message, number, tuple(Digest(hashes[at : at + DIGEST_SIZE]) for at in starts))


def check_size(size: int, blocks: int) -> None:
    """DecodeError where a body of `size` bytes is too large or does not have so many blocks."""
    if size > MESSAGE_MAX or blocks != blocks_of(size):
        raise DecodeError("malformed", f"{size} bytes in {blocks} blocks")
