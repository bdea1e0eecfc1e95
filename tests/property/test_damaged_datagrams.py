"""A datagram that was changed or cut anywhere is refused, of every kind."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from netcrier.errors import DecodeError, UsageError
from netcrier.wire.beacon import (
    decode_beacon,
    verify_beacon,
)
from netcrier.wire.block import decode_block
from netcrier.wire.fragment import decode_fragment, decode_parity
from netcrier.wire.header import (
    UP_SIZE,
    open_down,
    read_front,
    read_single,
    read_up,
    single_front,
    up_key,
)
from netcrier.wire.hello import (
    decode_hello,
    decode_welcome,
    read_welcome_front,
    welcome_front,
)
from netcrier.wire.kinds import Kind
from netcrier.wire.rekey import decode_rekey
from netcrier.wire.signed import verify
from netcrier.wire.tally import open_tally, read_teller
from netcrier.wire.token import decode_token

from tests import datagrams

EXAMPLES: Final = 150


def accept_beacon(data: bytes) -> None:
    read_front(data)
    decode_beacon(data)
    verify_beacon(data, datagrams.VERIFIER)


def accept_down(data: bytes) -> None:
    kind = read_front(data).kind
    verify(kind, datagrams.GROUP, open_down(data, datagrams.KEYS), datagrams.VERIFIER)


def accept_piece(data: bytes) -> None:
    kind = read_front(data).kind
    PIECE_DECODERS[kind](open_down(data, datagrams.KEYS))


def accept_hello(data: bytes) -> None:
    read_front(data)
    decode_hello(datagrams.answered(data))


def accept_welcome(data: bytes) -> None:
    if not data.startswith(welcome_front(datagrams.GROUP, datagrams.NODE)):
        raise DecodeError("not for this node")
    exchange = datagrams.asker()[0]
    decode_welcome(exchange.read_answer(read_welcome_front(data)[1]), exchange.transcript, datagrams.VERIFIER)


def accept_rekey(data: bytes) -> None:
    _node, answer = read_single(data)
    if not data.startswith(single_front(Kind.REKEY, datagrams.GROUP, datagrams.NODE)):
        raise DecodeError("not for this node")
    exchange = datagrams.member()[0]
    decode_rekey(exchange.read_answer(answer), exchange.transcript, datagrams.VERIFIER)


def accept_up(data: bytes) -> None:
    header = read_up(data)
    boots = (datagrams.HEAD.term, datagrams.HEAD.boot, header.boot)
    up_key(datagrams.SHARED, header.kind, header.group, datagrams.HEAD.master, boots, header.node).open(data, UP_SIZE)


def accept_tally(data: bytes) -> None:
    read_front(data)
    node, boot, public = read_teller(data)
    shared = datagrams.MASTER_KEY.agree(public)
    boots = (datagrams.HEAD.term, datagrams.HEAD.boot, boot)
    open_tally(data, up_key(shared, Kind.TALLY, datagrams.GROUP, datagrams.HEAD.master, boots, node))


PIECE_DECODERS: Final[dict[Kind, Callable[[bytes], object]]] = {
    Kind.BLOCK: decode_block,
    Kind.FRAGMENT: decode_fragment,
    Kind.PARITY: decode_parity,
}

ACCEPT: Final[dict[Kind, Callable[[bytes], None]]] = {
    Kind.BEACON: accept_beacon,
    Kind.MESSAGE: accept_down,
    Kind.SOLICIT: accept_down,
    Kind.BLOCK: accept_piece,
    Kind.FRAGMENT: accept_piece,
    Kind.PARITY: accept_piece,
    Kind.SKIP: accept_down,
    Kind.HEARD: accept_down,
    Kind.TURN: accept_down,
    Kind.WELCOME: accept_welcome,
    Kind.HELLO: accept_hello,
    Kind.REPORT: accept_up,
    Kind.REQUEST: accept_up,
    Kind.FETCH: accept_up,
    Kind.RENEW: accept_up,
    Kind.REKEY: accept_rekey,
    Kind.CATCH_UP: accept_up,
    Kind.QUESTION: accept_down,
    Kind.ANSWER: accept_up,
    Kind.TALLY: accept_tally,
}


def test_every_kind_of_this_version_is_put_to_the_test() -> None:
    assert set(ACCEPT) == set(Kind)


@pytest.mark.parametrize("kind", ACCEPT)
def test_the_unchanged_datagram_is_accepted(kind: Kind) -> None:
    ACCEPT[kind](datagrams.BUILDERS[kind]())


@pytest.mark.parametrize("kind", ACCEPT)
def test_a_changed_bit_in_any_byte_is_refused(kind: Kind) -> None:
    good = datagrams.BUILDERS[kind]()
    for at in range(len(good)):
        data = bytearray(good)
        data[at] ^= 1 << at % 8
        with pytest.raises(DecodeError):
            ACCEPT[kind](bytes(data))


@pytest.mark.parametrize("kind", ACCEPT)
def test_a_datagram_cut_anywhere_or_longer_is_refused(kind: Kind) -> None:
    good = datagrams.BUILDERS[kind]()
    for data in [*(good[:size] for size in range(len(good))), good + b"\0"]:
        with pytest.raises(DecodeError):
            ACCEPT[kind](data)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.sampled_from(list(ACCEPT)), st.integers(0, 700), st.binary(min_size=1, max_size=40), st.booleans())
def test_a_stretch_of_other_bytes_is_refused(kind: Kind, at: int, part: bytes, insert: bool) -> None:
    good = datagrams.BUILDERS[kind]()
    at %= len(good)
    data = good[:at] + part + good[at if insert else at + len(part) :]
    if data != good:
        with pytest.raises(DecodeError):
            ACCEPT[kind](data)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, 400), st.text(max_size=3), st.integers(0, 3))
def test_a_mistyped_token_is_refused_or_means_the_same(at: int, part: str, lost: int) -> None:
    text = datagrams.token()
    at %= len(text)
    with suppress(UsageError):
        assert decode_token(text[:at] + part + text[at + lost :]) == datagrams.TOKEN
