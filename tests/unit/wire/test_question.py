"""QUESTION and ANSWER: limits, and that the fullest ones fit one datagram."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from netcrier.errors import DecodeError
from netcrier.wire.header import DOWN_SIZE, UP_SIZE
from netcrier.wire.limits import (
    ANSWER_PART_MAX,
    ANSWER_PARTS_MAX,
    DATAGRAM_MAX,
    NAME_MAX,
    QUESTION_BODY_MAX,
    SELECTOR_MAX,
)
from netcrier.wire.question import decode_answer, decode_question, encode_answer, encode_question, parted

from tests import datagrams

SEAL = 12 + 16
SIGNATURE = bytes(64)


def test_the_fullest_question_fits_one_datagram_and_no_more_is_taken() -> None:
    full = replace(datagrams.QUESTION, selector="s" * SELECTOR_MAX, name="n" * NAME_MAX, body=bytes(QUESTION_BODY_MAX))
    signed = encode_question(full) + SIGNATURE
    assert DOWN_SIZE + SEAL + len(signed) <= DATAGRAM_MAX
    assert decode_question(signed) == full
    with pytest.raises(DecodeError, match="malformed"):
        decode_question(encode_question(replace(full, body=bytes(QUESTION_BODY_MAX + 1))) + SIGNATURE)


def test_the_fullest_part_fits_one_datagram_and_no_more_is_taken() -> None:
    full = replace(datagrams.ANSWER, output=bytes(ANSWER_PART_MAX))
    assert UP_SIZE + SEAL + len(encode_answer(full)) <= DATAGRAM_MAX
    assert decode_answer(encode_answer(full)) == full
    with pytest.raises(DecodeError, match="malformed"):
        decode_answer(encode_answer(replace(full, output=bytes(ANSWER_PART_MAX + 1))))


@pytest.mark.parametrize(("part", "parts"), [(0, 0), (1, 1), (3, 2), (0, ANSWER_PARTS_MAX + 1)])
def test_a_part_that_is_none_of_its_answer_is_malformed(part: int, parts: int) -> None:
    with pytest.raises(DecodeError, match="malformed"):
        decode_answer(encode_answer(replace(datagrams.ANSWER, part=part, parts=parts)))


@pytest.mark.parametrize("size", [0, 1, ANSWER_PART_MAX, ANSWER_PART_MAX + 1, ANSWER_PART_MAX * ANSWER_PARTS_MAX])
def test_output_is_parted_without_loss(size: int) -> None:
    output = bytes(number % 251 for number in range(size))
    parts = parted(output)
    assert b"".join(parts) == output
    assert 1 <= len(parts) <= ANSWER_PARTS_MAX


def test_output_beyond_the_limit_is_cut() -> None:
    assert len(b"".join(parted(bytes(1 << 20)))) == ANSWER_PART_MAX * ANSWER_PARTS_MAX


def test_cut_or_longer_plaintexts_are_refused() -> None:
    for size in range(27):
        with pytest.raises(DecodeError, match="truncated"):
            decode_answer(encode_answer(datagrams.ANSWER)[:size])
    for size in range(42):
        with pytest.raises(DecodeError, match="truncated"):
            decode_question(encode_question(datagrams.QUESTION)[:size] + SIGNATURE)
