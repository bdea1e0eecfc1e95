"""MESSAGE: what is refused, and that the greatest body fits one datagram."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from netcrier.errors import DecodeError
from netcrier.ids import MessageId
from netcrier.wire.envelope import Digest
from netcrier.wire.header import seal_down
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import BLOCKS_MAX, BODY_MAX, DATAGRAM_MAX, MESSAGE_MAX
from netcrier.wire.message import Message, decode_message, encode_message
from netcrier.wire.signed import signed

from tests import datagrams

BLOCKS_AT = 32 + 1 + 8 + 4 + 8 + 8 + 4
SIZE_AT = BLOCKS_AT - 4


def plaintext(message: Message) -> bytes:
    return encode_message(message) + bytes(64)


def changed(at: int, value: int) -> bytes:
    data = bytearray(plaintext(datagrams.MESSAGE))
    data[at] = value
    return bytes(data)


def test_the_id_is_term_lane_and_sequence() -> None:
    assert decode_message(plaintext(datagrams.MESSAGE)).id == MessageId(2, 0, 1284)


@pytest.mark.parametrize("body", [b"", b"\0", b"b" * BODY_MAX])
def test_any_body_up_to_the_limit_comes_back(body: bytes) -> None:
    message = replace(datagrams.MESSAGE, body=body)
    assert decode_message(plaintext(message)) == message


def test_the_greatest_body_fits_one_datagram_and_one_more_byte_is_malformed() -> None:
    content = encode_message(replace(datagrams.MESSAGE, body=bytes(BODY_MAX), selector=""))
    datagram = seal_down(
        Kind.MESSAGE,
        datagrams.GROUP,
        1,
        datagrams.SEAL,
        signed(Kind.MESSAGE, datagrams.GROUP, content, datagrams.SIGNER),
    )
    assert len(datagram) <= DATAGRAM_MAX
    with pytest.raises(DecodeError, match="malformed"):
        decode_message(plaintext(replace(datagrams.MESSAGE, body=bytes(BODY_MAX + 1))))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "truncated"),
        (plaintext(datagrams.MESSAGE)[:100], "truncated"),
        (changed(BLOCKS_AT + 1, 1), "malformed"),
        (changed(SIZE_AT + 3, 9), "malformed"),
        (plaintext(datagrams.MESSAGE) + b"\0", "malformed"),
        (plaintext(replace(datagrams.MESSAGE, lane=2)), "malformed"),
        (plaintext(replace(datagrams.MESSAGE, sequence=0)), "malformed"),
        (changed(BLOCKS_AT + 3, 0xFF), "malformed"),
    ],
)
def test_a_message_that_does_not_fit_has_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(DecodeError) as error:
        decode_message(data)
    assert error.value.reason == reason


def test_a_message_in_blocks_carries_size_and_digests_of_all_and_no_body() -> None:
    whole = replace(datagrams.IN_BLOCKS, size=MESSAGE_MAX, blocks=(Digest(bytes(16)),) * BLOCKS_MAX, selector="x" * 255)
    assert decode_message(plaintext(whole)) == whole
    sealed = signed(Kind.MESSAGE, datagrams.GROUP, encode_message(whole), datagrams.SIGNER)
    assert len(seal_down(Kind.MESSAGE, datagrams.GROUP, 1, datagrams.SEAL, sealed)) <= DATAGRAM_MAX


@pytest.mark.parametrize(
    ("size", "blocks"), [(MESSAGE_MAX + 1, BLOCKS_MAX), (MESSAGE_MAX, BLOCKS_MAX - 1), (BODY_MAX, 1), (0, 1)]
)
def test_blocks_that_do_not_fit_the_size_are_malformed(size: int, blocks: int) -> None:
    message = replace(datagrams.IN_BLOCKS, size=size, blocks=(Digest(bytes(16)),) * blocks)
    with pytest.raises(DecodeError, match="malformed"):
        decode_message(plaintext(message))
