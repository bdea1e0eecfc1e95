"""FRAGMENT and PARITY: a piece of a body, or what restores lost pieces of its block.

    term 4, lane 1, sequence 8, block 2, place 1, bytes

Sealed under the group key and not signed: a fragment's hash is in its BLOCK; what parity restores is held against the
same hashes. Fragments have the places from 0, parity those from FRAGMENTS_MAX on.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

import msgspec

from netcrier.errors import DecodeError
from netcrier.ids import LANES, MessageId
from netcrier.wire.limits import BLOCKS_MAX, FRAGMENT_SIZE, FRAGMENTS_MAX, PLACES_MAX

_FIELDS: Final = Struct(">IBQHB")
_HEAD: Final = _FIELDS.size


class Fragment(msgspec.Struct, frozen=True, gc=False):
    """One piece."""

    message: MessageId
    block: int
    place: int
    data: bytes


def encode_fragment(fragment: Fragment) -> bytes:
    """The plaintext to seal."""
    message = fragment.message
    head = _FIELDS.pack(message.term, message.lane, message.sequence, fragment.block, fragment.place)
    return head + fragment.data


def decode_fragment(plaintext: bytes, first: int = 0, end: int = FRAGMENTS_MAX) -> Fragment:
    """The fragment of an opened FRAGMENT; its place is at least `first` and lies before `end`."""
    size = len(plaintext) - _HEAD
    if size < 0:
        raise DecodeError("truncated")
    term, lane, sequence, block, place = _FIELDS.unpack_from(plaintext)
    if not 0 < size <= FRAGMENT_SIZE or block >= BLOCKS_MAX or not first <= place < end or lane not in LANES:
        raise DecodeError("malformed", "fragment")
    return Fragment(MessageId(term, lane, sequence), block, place, plaintext[_HEAD:])


def decode_parity(plaintext: bytes) -> Fragment:
    """The piece of an opened PARITY: always of a whole fragment's size."""
    if len(plaintext) != _HEAD + FRAGMENT_SIZE:
        raise DecodeError("malformed", "parity")
    return decode_fragment(plaintext, FRAGMENTS_MAX, PLACES_MAX)
