"""What a node may have sent again of messages in blocks, and how soon it may have more."""

from __future__ import annotations

from collections import Counter

import pytest
from netcrier.core.master.rate import RATE_LEAST, RATE_MOST, Rate
from netcrier.core.master.shares import Shares
from netcrier.errors import DecodeError
from netcrier.wire.limits import FETCHED_MAX

PIECE = 8 * 1260
"""Bits."""


def shares(bits: float = RATE_MOST) -> tuple[Shares, Counter[str]]:
    rate, refused = Rate(), Counter[str]()
    rate.bits = bits
    return Shares(rate, refused), refused


def taken(one: Shares, start: float, end: float, block: int = 32) -> int:
    """Pieces that a node gets which asks every ms."""
    now, found = start, 0
    while now < end:
        while one.may(7, now):
            one.charge(7, block)
            found += block
        now += 0.001
    return found


def test_a_node_gets_what_the_limit_says_and_no_piece_beyond() -> None:
    one, refused = shares()
    for _ in range(FETCHED_MAX):
        one.require(7, 10.0)
        one.charge(7, 1)
    with pytest.raises(DecodeError, match="too many fetches"):
        one.require(7, 10.0)
    assert not one.may(7, 10.0)
    assert refused == {"too many fetches": 1}
    assert one.may(8, 10.0), "another has a share of its own"


def test_the_limit_holds_for_every_second_however_fast_the_master_sends() -> None:
    one, _ = shares(RATE_MOST)
    assert taken(one, 10.0, 20.0) == pytest.approx(11 * FETCHED_MAX, rel=0.01)


def test_one_that_asks_without_end_leaves_the_others_half_of_a_slow_rate() -> None:
    one, _ = shares(RATE_LEAST)
    taken(one, 10.0, 10.1)
    assert taken(one, 10.1, 110.1) == pytest.approx(100 * RATE_LEAST / PIECE / 2, rel=0.01)


def test_credit_does_not_pile_up() -> None:
    one, _ = shares()
    taken(one, 10.0, 10.1)
    assert taken(one, 1000.0, 1000.001) == FETCHED_MAX
