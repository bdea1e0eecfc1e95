"""SOLICIT: who is meant by a bitmap."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from netcrier.errors import DecodeError
from netcrier.wire.header import DOWN_SIZE
from netcrier.wire.limits import DATAGRAM_MAX, SOLICIT_BITS_MAX
from netcrier.wire.solicit import Solicit, bitmaps, decode_solicit, encode_solicit

from tests import datagrams


def decoded(solicit: Solicit) -> Solicit:
    return decode_solicit(encode_solicit(solicit) + bytes(64))


def asked(indexes: set[int]) -> list[list[int]]:
    """Who each datagram asks, among indexes 0 to 9,999."""
    solicits = [decoded(replace(datagrams.SOLICIT, first=first, bitmap=bits)) for first, bits in bitmaps(indexes)]
    return [[index for index in range(10_000) if solicit.asks(index)] for solicit in solicits]


@pytest.mark.parametrize("indexes", [{0}, {9}, {3, 4, 11}, set(range(5, 70, 7)), {0, SOLICIT_BITS_MAX - 1}])
def test_exactly_the_named_nodes_are_asked(indexes: set[int]) -> None:
    assert asked(indexes) == [sorted(indexes)]


def test_nobody_is_asked_by_no_datagram() -> None:
    assert bitmaps([]) == []


def test_more_than_4096_nodes_take_a_second_datagram() -> None:
    first, second = asked({0, SOLICIT_BITS_MAX, 9_999 - SOLICIT_BITS_MAX})
    assert (first, second) == ([0], [SOLICIT_BITS_MAX, 9_999 - SOLICIT_BITS_MAX])


def test_the_greatest_bitmap_fits_one_datagram() -> None:
    ((first, bits),) = bitmaps(range(SOLICIT_BITS_MAX))
    content = encode_solicit(replace(datagrams.SOLICIT, first=first, bitmap=bits))
    assert DOWN_SIZE + 12 + len(content) + 64 + 16 <= DATAGRAM_MAX
    assert decoded(replace(datagrams.SOLICIT, first=first, bitmap=bits)).asks(SOLICIT_BITS_MAX - 1)


@pytest.mark.parametrize("bitmap", [b"", b"\xff"])
def test_an_index_outside_the_bitmap_is_not_asked(bitmap: bytes) -> None:
    solicit = replace(datagrams.SOLICIT, first=16, bitmap=bitmap)
    assert not solicit.asks(15)
    assert not solicit.asks(24)


def test_a_greater_bitmap_is_malformed_and_a_cut_one_truncated() -> None:
    content = bytearray(encode_solicit(replace(datagrams.SOLICIT, bitmap=b"")))
    content[-2:] = (SOLICIT_BITS_MAX // 8 + 1).to_bytes(2, "big")
    with pytest.raises(DecodeError, match="malformed"):
        decode_solicit(bytes(content) + bytes(1000))
    content[-2:] = b"\0\1"
    with pytest.raises(DecodeError, match="truncated"):
        decode_solicit(bytes(content) + bytes(64))
    with pytest.raises(DecodeError, match="trailing"):
        decode_solicit(encode_solicit(datagrams.SOLICIT) + bytes(65))
