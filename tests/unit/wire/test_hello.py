"""HELLO and WELCOME: sizes, limits, the token's proof, and who may give keys away."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from netcrier.errors import DecodeError
from netcrier.ids import NodeId
from netcrier.wire.envelope import DIGEST_SIZE, Digest, Signer, Verifier
from netcrier.wire.header import front
from netcrier.wire.hello import (
    LaneStart,
    Welcome,
    decode_hello,
    decode_welcome,
    encode_hello,
    encode_welcome,
    enrolment_proof,
    read_welcome_front,
    tags_fit,
)
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import HELLO_SIZE, LANES_MAX, NAME_MAX, TAGS_MAX, TAGS_SIZE_MAX

from tests import datagrams

NAME_AT = 4 + 16 + 8 + 16 + 1
VERIFIER = Verifier(datagrams.SIGNER.public)


def decoded(welcome: Welcome) -> Welcome:
    return decode_welcome(encode_welcome(welcome, b"transcript", datagrams.SIGNER), b"transcript", VERIFIER)


def test_every_hello_has_the_same_size() -> None:
    short, long = (encode_hello(replace(datagrams.HELLO, name=name)) for name in ("", "n" * NAME_MAX))
    assert len(short) == len(long) == HELLO_SIZE - 12 - 32 - 48 - 16
    assert len(datagrams.hello()) == HELLO_SIZE


def test_sixteen_tags_are_read_and_seventeen_are_not() -> None:
    tags = tuple((f"k{number}", "v") for number in range(TAGS_MAX + 1))
    hello = replace(datagrams.HELLO, tags=tags[1:])
    assert decode_hello(encode_hello(hello)) == hello
    with pytest.raises(DecodeError, match="malformed"):
        decode_hello(encode_hello(replace(datagrams.HELLO, tags=tags)))


def test_a_hello_of_five_lanes_is_malformed() -> None:
    lanes = tuple((lane, 1, 1) for lane in range(LANES_MAX + 1))
    with pytest.raises(DecodeError, match="malformed"):
        decode_hello(encode_hello(replace(datagrams.HELLO, lanes=lanes)))


def test_a_name_of_64_bytes_is_malformed() -> None:
    payload = bytearray(encode_hello(replace(datagrams.HELLO, name="n" * NAME_MAX)))
    payload[NAME_AT] = NAME_MAX + 1
    with pytest.raises(DecodeError, match="malformed"):
        decode_hello(bytes(payload))


def test_a_hello_of_another_size_or_with_a_tail_is_refused() -> None:
    payload = encode_hello(datagrams.HELLO)
    with pytest.raises(DecodeError, match="malformed"):
        decode_hello(payload[:-1])
    with pytest.raises(DecodeError, match="trailing"):
        decode_hello(payload[:-1] + b"\1")


def test_tags_that_do_not_fit_are_our_own_fault() -> None:
    with pytest.raises(AssertionError):
        encode_hello(replace(datagrams.HELLO, tags=tuple(("k" * 63, "v" * 63) for _ in range(5))))


def test_tags_that_fit_are_carried_with_the_longest_name_and_all_lanes() -> None:
    lanes = tuple((lane, 1, 1) for lane in range(LANES_MAX))
    fullest = replace(datagrams.HELLO, name="n" * NAME_MAX, lanes=lanes)
    rest = TAGS_SIZE_MAX - 2 * (2 + 2 * NAME_MAX) - 2 - 50
    for more in (0, 1):
        tags = (("a" * NAME_MAX, "b" * NAME_MAX), ("c" * NAME_MAX, "d" * NAME_MAX), ("e" * 50, "f" * (rest + more)))
        assert tags_fit(tags) is not bool(more)
        if more:
            with pytest.raises(AssertionError):
                encode_hello(replace(fullest, tags=tags))
        else:
            assert decode_hello(encode_hello(replace(fullest, tags=tags))).tags == tags


@pytest.mark.parametrize("tags", [(("k", "ü" * 32),), tuple((f"k{number}", "") for number in range(TAGS_MAX + 1))])
def test_a_tag_of_64_bytes_or_a_seventeenth_does_not_fit(tags: tuple[tuple[str, str], ...]) -> None:
    assert not tags_fit(tags)


def test_a_proof_is_for_one_secret_node_and_boot() -> None:
    proofs = {
        enrolment_proof(datagrams.TOKEN_SECRET, datagrams.NODE, 1),
        enrolment_proof(bytes(32), datagrams.NODE, 1),
        enrolment_proof(datagrams.TOKEN_SECRET, NodeId(bytes(16)), 1),
        enrolment_proof(datagrams.TOKEN_SECRET, datagrams.NODE, 2),
    }
    assert len(proofs) == 4


def test_a_welcome_comes_back() -> None:
    assert decoded(datagrams.WELCOME) == datagrams.WELCOME


def test_only_the_signing_master_gives_keys_away() -> None:
    payload = encode_welcome(datagrams.WELCOME, b"transcript", Signer(bytes(32)))
    with pytest.raises(DecodeError, match="bad signature"):
        decode_welcome(payload, b"transcript", VERIFIER)


def test_a_welcome_is_for_one_transcript() -> None:
    payload = encode_welcome(datagrams.WELCOME, b"transcript", datagrams.SIGNER)
    with pytest.raises(DecodeError, match="bad signature"):
        decode_welcome(payload, b"transcripT", VERIFIER)


@pytest.mark.parametrize(
    "welcome",
    [
        replace(datagrams.WELCOME, keys=()),
        replace(datagrams.WELCOME, keys=tuple((epoch, bytes(32)) for epoch in range(5))),
        replace(
            datagrams.WELCOME,
            lanes=tuple(LaneStart(lane, 1, 1, Digest(bytes(DIGEST_SIZE))) for lane in range(LANES_MAX + 1)),
        ),
    ],
)
def test_a_signed_welcome_outside_the_limits_is_malformed(welcome: Welcome) -> None:
    with pytest.raises(DecodeError, match="malformed"):
        decoded(welcome)


def test_a_welcome_says_for_whom_it_is() -> None:
    node, answer = read_welcome_front(datagrams.welcome())
    assert (node, len(answer)) == (datagrams.NODE, len(datagrams.welcome()) - 28)
    with pytest.raises(DecodeError, match="truncated"):
        read_welcome_front(front(Kind.WELCOME, datagrams.GROUP) + bytes(15))
