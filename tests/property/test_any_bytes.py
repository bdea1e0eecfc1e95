"""Any bytes give a value or a DecodeError, whatever reads them; any text a token or a UsageError."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from hypothesis import example, given, settings
from hypothesis import strategies as st
from netcrier.errors import DecodeError, UsageError
from netcrier.wire.beacon import (
    decode_beacon,
    open_marks,
)
from netcrier.wire.block import decode_block, encode_block
from netcrier.wire.catch_up import decode_catch_up, encode_catch_up
from netcrier.wire.fetch import decode_fetch, encode_fetch
from netcrier.wire.fragment import decode_fragment, decode_parity, encode_fragment
from netcrier.wire.handshake import KnownAnswerer
from netcrier.wire.header import (
    front,
    open_down,
    read_front,
    read_single,
    read_up,
)
from netcrier.wire.heard import decode_heard
from netcrier.wire.hello import (
    decode_hello,
    decode_welcome,
    encode_hello,
    read_welcome_front,
)
from netcrier.wire.kinds import Kind
from netcrier.wire.message import decode_message
from netcrier.wire.question import decode_answer, decode_question, encode_answer
from netcrier.wire.rekey import decode_renew, encode_renew
from netcrier.wire.report import (
    decode_report,
    decode_request,
    encode_report,
    encode_request,
)
from netcrier.wire.skip import decode_skip
from netcrier.wire.solicit import decode_solicit
from netcrier.wire.token import decode_token
from netcrier.wire.turn import decode_turn

from tests import datagrams

EXAMPLES: Final = 150


def read_answer(data: bytes) -> bytes:
    """The payload of a welcome's handshake."""
    return datagrams.asker()[0].read_answer(data)


def read_key(data: bytes) -> bytes:
    """The payload of a group key's exchange."""
    return datagrams.member()[0].read_answer(data)


def asked_for_key(data: bytes) -> bytes:
    """What the master reads of a question for a group key."""
    return KnownAnswerer(b"", datagrams.MASTER_KEY, datagrams.NODE_KEY.public, datagrams.SHARED, data).payload


DECODERS: Final[list[Callable[[bytes], object]]] = [
    read_front,
    read_up,
    decode_beacon,
    lambda data: open_marks(data, datagrams.KEYS),
    lambda data: open_down(data, datagrams.KEYS),
    decode_message,
    decode_block,
    decode_fragment,
    decode_parity,
    decode_fetch,
    decode_solicit,
    decode_skip,
    decode_heard,
    decode_turn,
    decode_report,
    decode_request,
    decode_catch_up,
    decode_renew,
    decode_question,
    decode_answer,
    decode_hello,
    read_welcome_front,
    read_single,
    read_key,
    asked_for_key,
    datagrams.answered,
    read_answer,
]

PLAINTEXTS: Final = [
    datagrams.message_plaintext(),
    datagrams.solicit_plaintext(),
    datagrams.skip_plaintext(),
    datagrams.heard_plaintext(),
    datagrams.turn_plaintext(),
    encode_report(datagrams.OUTCOMES),
    encode_report(datagrams.RESULTS),
    encode_report(datagrams.REPORT),
    encode_request(datagrams.REQUEST),
    encode_catch_up(datagrams.CATCH_UP),
    encode_block(datagrams.BLOCK),
    encode_fragment(datagrams.FRAGMENT),
    encode_fetch(datagrams.FETCH),
    encode_renew(datagrams.member()[1]),
    datagrams.question_plaintext(),
    encode_answer(datagrams.ANSWER),
    encode_hello(datagrams.HELLO),
    *(build() for build in datagrams.BUILDERS.values()),
]


def arbitrary() -> st.SearchStrategy[bytes]:
    """Bytes from nowhere, bytes behind a good front, and good content with a stretch of other bytes in it."""
    fronts = st.sampled_from([front(kind, datagrams.GROUP) for kind in Kind])
    noise = st.binary(max_size=1300)
    behind = st.builds(bytes.__add__, fronts, noise)
    spliced = st.builds(
        lambda good, at, part: good[:at] + part + good[at + len(part) :],
        st.sampled_from(PLAINTEXTS), st.integers(0, 640), st.binary(max_size=24),
    )  # fmt: skip
    return noise | behind | spliced


def outcome(decode: Callable[[bytes], object], data: bytes) -> None:
    """A value or DecodeError; any other exception fails the test."""
    with suppress(DecodeError):
        decode(data)


@settings(max_examples=EXAMPLES, deadline=None)
@given(arbitrary())
@example(b"")
@example(b"NC\x01\x01")
def test_any_bytes_give_a_value_or_a_decode_error(data: bytes) -> None:
    for decode in DECODERS:
        outcome(decode, data)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=300))
def test_a_signed_welcome_of_any_content_gives_a_value_or_a_decode_error(content: bytes) -> None:
    signature = datagrams.SIGNER.sign(b"netcrier 1 welcome\0", b"transcript" + content)
    outcome(lambda payload: decode_welcome(payload, b"transcript", datagrams.VERIFIER), signature + content)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.text(max_size=600) | st.text("ABCxyz019-_=", max_size=600).map("netcrier1.".__add__))
def test_any_text_is_a_token_or_a_usage_error(text: str) -> None:
    with suppress(UsageError):
        decode_token(text)
