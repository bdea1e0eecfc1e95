"""What was found good about a header holds until the keys change."""

from __future__ import annotations

import pytest
from netcrier.core.events import Pin
from netcrier.core.node.hearing import Hearing, Membership
from netcrier.core.pacing import OLD_EPOCH
from netcrier.errors import DecodeError
from netcrier.ids import GroupId
from netcrier.wire.envelope import SealKey, Signer
from netcrier.wire.header import seal_down
from netcrier.wire.kinds import Kind

GROUP = GroupId(b"groupgrp")
KEYS = ((1, b"1" * 32), (2, b"2" * 32))


def hearing() -> Hearing:
    """A node that has the key in force and the one that was announced."""
    one = Hearing(Membership(keys=KEYS))
    one.trust(Pin(GROUP, Signer(b"s" * 32).public, b"a" * 32, "", "first-use"))
    return one


def sealed(kind: Kind, epoch: int) -> bytes:
    return seal_down(kind, GROUP, epoch, SealKey(dict(KEYS)[epoch]), b"said")


def test_an_order_under_the_key_before_is_refused_also_where_one_like_it_was_taken() -> None:
    one, order = hearing(), sealed(Kind.SOLICIT, 1)
    assert one.opened(Kind.SOLICIT, order) == b"said"
    assert one.epochs.opened(2, 10.0)
    with pytest.raises(DecodeError, match="old epoch"):
        one.opened(Kind.SOLICIT, order)


def test_a_piece_under_the_key_before_is_opened_until_its_time_is_over() -> None:
    one, piece = hearing(), sealed(Kind.FRAGMENT, 1)
    one.epochs.opened(2, 10.0)
    assert one.opened(Kind.FRAGMENT, piece) == one.opened(Kind.FRAGMENT, piece) == b"said"
    one.epochs.expire(10.0 + OLD_EPOCH)
    with pytest.raises(DecodeError, match="unknown epoch"):
        one.opened(Kind.FRAGMENT, piece)


def test_a_key_that_was_dropped_opens_nothing_more() -> None:
    one, piece = hearing(), sealed(Kind.FRAGMENT, 1)
    assert one.opened(Kind.FRAGMENT, piece) == b"said"
    one.epochs.drop(1)
    with pytest.raises(DecodeError, match="unknown epoch"):
        one.opened(Kind.FRAGMENT, piece)
