"""TURN, and SKIP of an earlier term: what makes sense, and that the fullest one fits one datagram."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from netcrier.errors import DecodeError
from netcrier.wire.header import DOWN_SIZE
from netcrier.wire.limits import DATAGRAM_MAX, HEARD_MAX
from netcrier.wire.skip import Skip, decode_skip, encode_skip
from netcrier.wire.turn import Stand, Turn, decode_turn, encode_turn

from tests import datagrams

SIGNATURE = bytes(64)


@pytest.mark.parametrize(
    "turn",
    [
        replace(datagrams.TURN, lane=2),
        replace(datagrams.TURN, term=0),
        replace(datagrams.TURN, term=2),
        replace(datagrams.TURN, following=3),
        replace(datagrams.TURN, known=1283),
    ],
)
def test_a_turn_to_an_earlier_or_a_coming_term_is_malformed(turn: Turn) -> None:
    with pytest.raises(DecodeError, match="malformed"):
        decode_turn(encode_turn(turn) + SIGNATURE)


def test_a_turn_names_64_nodes_and_not_65() -> None:
    stands = tuple(Stand(number, 1, number) for number in range(HEARD_MAX + 1))
    full = replace(datagrams.TURN, stands=stands[1:])
    content = encode_turn(full) + SIGNATURE
    assert decode_turn(content) == full
    assert DOWN_SIZE + 12 + len(content) + 16 <= DATAGRAM_MAX
    with pytest.raises(DecodeError, match="malformed"):
        decode_turn(encode_turn(replace(datagrams.TURN, stands=stands)) + SIGNATURE)


def test_a_skip_names_its_term_only_where_that_is_an_earlier_one() -> None:
    assert (datagrams.SKIP.term, datagrams.EARLIER_SKIP.term) == (2, 1)
    same = encode_skip(datagrams.SKIP) + bytes((0, 0, 0, 2)) + SIGNATURE
    for wrong in (
        same,
        encode_skip(replace(datagrams.SKIP, earlier=3)) + SIGNATURE,
        same[: -len(SIGNATURE) - 1] + SIGNATURE,
    ):
        with pytest.raises(DecodeError, match=r"malformed|truncated"):
            decode_skip(wrong)


def test_no_term_is_numbered_0() -> None:
    content = encode_skip(datagrams.SKIP) + bytes(4) + SIGNATURE
    with pytest.raises(DecodeError, match="malformed"):
        decode_skip(content)
    earlier: Skip = datagrams.EARLIER_SKIP
    assert len(encode_skip(earlier)) == len(encode_skip(datagrams.SKIP)) + 4
