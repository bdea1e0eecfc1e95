"""TALLY beyond its vector: too many lanes, and a key that is not the node's."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from netcrier.errors import DecodeError
from netcrier.wire.header import UP_SIZE
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import LANES_MAX
from netcrier.wire.tally import encode_tally, open_tally, read_teller

from tests import datagrams


def test_more_lanes_than_a_node_has_are_malformed() -> None:
    full = replace(datagrams.TALLY, lanes=tuple((lane, 1, 9) for lane in range(LANES_MAX + 1)))
    key = datagrams.upward_key(Kind.TALLY)
    data = encode_tally(datagrams.GROUP, datagrams.NODE_KEY.public, datagrams.NODE_BOOT, key, full)
    with pytest.raises(DecodeError, match="malformed"):
        open_tally(data, key)


def test_the_key_of_another_node_is_malformed() -> None:
    data = datagrams.tally()
    changed = data[:UP_SIZE] + datagrams.MASTER_KEY.public + data[UP_SIZE + 32 :]
    with pytest.raises(DecodeError, match="another node's key"):
        read_teller(changed)


def test_an_answer_is_shorter_than_its_question() -> None:
    full = replace(datagrams.TALLY, lanes=tuple((lane, 1, 9) for lane in range(LANES_MAX)))
    key = datagrams.upward_key(Kind.TALLY)
    assert len(encode_tally(datagrams.GROUP, datagrams.NODE_KEY.public, 1, key, full)) < len(datagrams.beacon())
