"""SKIP and HEARD: their limits, and that the fullest ones fit one datagram."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from netcrier.errors import DecodeError
from netcrier.wire.header import DOWN_SIZE
from netcrier.wire.heard import Entry, decode_heard, encode_heard
from netcrier.wire.limits import DATAGRAM_MAX, HEARD_MAX, SKIP_MAX
from netcrier.wire.skip import Skip, decode_skip, encode_skip

from tests import datagrams

SIGNATURE = bytes(64)


def test_a_skip_names_its_last_number() -> None:
    assert (datagrams.SKIP.first, datagrams.SKIP.last) == (1281, 1283)


@pytest.mark.parametrize(
    "skip",
    [
        replace(datagrams.SKIP, count=0),
        replace(datagrams.SKIP, count=SKIP_MAX + 1),
        replace(datagrams.SKIP, first=0),
        replace(datagrams.SKIP, lane=2),
    ],
)
def test_a_skip_of_nothing_or_of_too_much_is_malformed(skip: Skip) -> None:
    with pytest.raises(DecodeError, match="malformed"):
        decode_skip(encode_skip(skip) + SIGNATURE)


def test_a_skip_covers_as_much_as_its_limit() -> None:
    most = replace(datagrams.SKIP, count=SKIP_MAX)
    assert decode_skip(encode_skip(most) + SIGNATURE) == most


@pytest.mark.parametrize("cause", [0, 4, 255])
def test_an_unknown_cause_is_malformed(cause: int) -> None:
    content = bytearray(encode_skip(datagrams.SKIP))
    content[45] = cause
    with pytest.raises(DecodeError, match="malformed"):
        decode_skip(bytes(content) + SIGNATURE)


def test_a_heard_names_64_reports_and_not_65() -> None:
    entries = tuple(Entry(number, 1, number) for number in range(HEARD_MAX + 1))
    full = replace(datagrams.HEARD, entries=entries[1:])
    content = encode_heard(full) + SIGNATURE
    assert decode_heard(content) == full
    assert DOWN_SIZE + 12 + len(content) + 16 <= DATAGRAM_MAX
    with pytest.raises(DecodeError, match="malformed"):
        decode_heard(encode_heard(replace(datagrams.HEARD, entries=entries)) + SIGNATURE)
