"""How a body is cut, and what a BLOCK, a FRAGMENT, a PARITY and a FETCH refuse."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from netcrier.errors import DecodeError
from netcrier.ids import MessageId
from netcrier.wire.block import (
    Block,
    block_digest,
    block_length,
    blocks_of,
    decode_block,
    encode_block,
    fragment_hash,
    fragments_of,
)
from netcrier.wire.envelope import Digest, digest
from netcrier.wire.fetch import Lack, bitmap_of, decode_fetch, encode_fetch
from netcrier.wire.fragment import Fragment, decode_fragment, decode_parity, encode_fragment
from netcrier.wire.header import seal_down
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import (
    BLOCKS_MAX,
    BODY_MAX,
    DATAGRAM_MAX,
    FRAGMENT_SIZE,
    FRAGMENTS_MAX,
    MESSAGE_MAX,
    PLACES_MAX,
)

from tests import datagrams

WHOLE = FRAGMENT_SIZE * FRAGMENTS_MAX


@pytest.mark.parametrize(
    ("size", "fragments", "blocks"),
    [(0, 0, 0), (BODY_MAX, 0, 0), (BODY_MAX + 1, 1, 1), (FRAGMENT_SIZE + 1, 2, 1), (WHOLE, 32, 1), (WHOLE + 1, 33, 2),
     (MESSAGE_MAX, 895, BLOCKS_MAX)],
)  # fmt: skip
def test_a_body_has_as_many_fragments_and_blocks_as_it_needs(size: int, fragments: int, blocks: int) -> None:
    assert (fragments_of(size), blocks_of(size)) == (fragments, blocks)
    assert sum(block_length(size, number) for number in range(blocks)) == fragments


def test_a_whole_fragment_fills_its_datagram() -> None:
    for kind in (Kind.FRAGMENT, Kind.PARITY):
        piece = encode_fragment(Fragment(MessageId(1, 0, 1), 0, 0, bytes(FRAGMENT_SIZE)))
        assert len(seal_down(kind, datagrams.GROUP, 1, datagrams.SEAL, piece)) == DATAGRAM_MAX


def test_hashes_of_fragments_blocks_and_messages_are_of_different_kinds() -> None:
    data = bytes(32)
    assert len({fragment_hash(data), block_digest((Digest(data),)), digest(data)}) == 3


@pytest.mark.parametrize("count", [0, FRAGMENTS_MAX + 1])
def test_a_block_without_hashes_or_with_too_many_is_malformed(count: int) -> None:
    with pytest.raises(DecodeError, match="malformed"):
        decode_block(encode_block(replace(datagrams.BLOCK, hashes=(Digest(bytes(16)),) * count)))


@pytest.mark.parametrize("change", [{"number": BLOCKS_MAX}, {"message": MessageId(1, 2, 1)}])
def test_a_block_beyond_a_message_or_of_another_lane_is_malformed(change: dict[str, object]) -> None:
    with pytest.raises(DecodeError, match="malformed"):
        decode_block(encode_block(replace(datagrams.BLOCK, **change)))


def test_a_block_cut_within_a_hash_is_malformed() -> None:
    with pytest.raises(DecodeError, match="malformed"):
        decode_block(encode_block(Block(MessageId(1, 0, 1), 0, (Digest(bytes(16)),)))[:-1])


@pytest.mark.parametrize(
    ("block", "place", "size"),
    [(BLOCKS_MAX, 0, 1), (0, FRAGMENTS_MAX, 1), (0, 0, 0), (0, 0, FRAGMENT_SIZE + 1)],
)
def test_a_fragment_out_of_its_bounds_is_malformed(block: int, place: int, size: int) -> None:
    with pytest.raises(DecodeError, match="malformed"):
        decode_fragment(encode_fragment(Fragment(MessageId(1, 0, 1), block, place, bytes(size))))


@pytest.mark.parametrize(("place", "size"), [(FRAGMENTS_MAX - 1, FRAGMENT_SIZE), (FRAGMENTS_MAX, FRAGMENT_SIZE - 1)])
def test_parity_at_a_fragments_place_or_of_another_size_is_malformed(place: int, size: int) -> None:
    with pytest.raises(DecodeError, match="malformed"):
        decode_parity(encode_fragment(Fragment(MessageId(1, 0, 1), 0, place, bytes(size))))


def test_parity_has_every_place_behind_the_fragments() -> None:
    last = Fragment(MessageId(1, 0, 1), 0, PLACES_MAX - 1, bytes(FRAGMENT_SIZE))
    assert decode_parity(encode_fragment(last)) == last


def test_a_cut_fragment_is_truncated() -> None:
    with pytest.raises(DecodeError, match="truncated"):
        decode_fragment(encode_fragment(datagrams.FRAGMENT)[:15])


@pytest.mark.parametrize(
    "lacks",
    [
        (Lack(BLOCKS_MAX, False, 0, 0),),
        (Lack(0, False, 2, 1),),
        (Lack(0, True, 0, 0), Lack(0, True, 0, 0)),
        tuple(Lack(number, True, 0, 0) for number in range(BLOCKS_MAX + 1)),
    ],
)
def test_a_fetch_of_more_than_there_can_be_is_malformed(lacks: tuple[Lack, ...]) -> None:
    with pytest.raises(DecodeError, match="malformed"):
        decode_fetch(encode_fetch(replace(datagrams.FETCH, lacks=lacks)))


def test_a_fetch_of_every_block_fits_a_datagram() -> None:
    lacks = tuple(Lack(number, True, 32, 2**32 - 1) for number in range(BLOCKS_MAX))
    fetch = replace(datagrams.FETCH, lacks=lacks)
    assert decode_fetch(encode_fetch(fetch)) == fetch
    assert len(encode_fetch(fetch)) < DATAGRAM_MAX - 100


def test_the_bitmap_names_fragments_from_its_most_significant_bit() -> None:
    assert bitmap_of([0, 31]) == 0x8000_0001
    lack = Lack(0, False, 2, 0x8000_0001)
    assert [place for place in range(32) if lack.lacks(place)] == [0, 31]
