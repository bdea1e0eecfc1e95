"""Noise IK of the hello and Noise KK of a group key, each against a published vector, and what does not pass."""

from __future__ import annotations

from typing import Final

import pytest
from netcrier.errors import DecodeError
from netcrier.wire.envelope import AgreementKey
from netcrier.wire.handshake import Answerer, Asker, KnownAnswerer, KnownAsker

# Noise_IK_25519_ChaChaPoly_BLAKE2b in noise-c's tests/vector/noise-c-basic.txt: the two messages of the handshake.
PROLOGUE: Final = b"Prologue123"
NODE: Final = "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1"
NODE_EPHEMERAL: Final = "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a"
MASTER: Final = "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893"
MASTER_PUBLIC: Final = "31e0303fd6418d2f8c0e78b91f22e8caed0fbe48656dcf4767e4834f701b8f62"
MASTER_EPHEMERAL: Final = "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b"
ASK: Final = (
    "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944"
    "ba83a447b38c83e327ad936929812f624884847b7831e95e197b2f797088efdd232fe541af156ec6d0657602902a8c3e"
    "e64e470f4b6fcd9298ce0b56fe20f86e60d9d933ec6e103ffb09e6001d6abb64"
)
ANSWER: Final = (
    "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843"
    "9f069b267a06b3de3ecb1043bcb09807c6cd101f3826192a65f11ef3fe4317"
)

# Noise_KK_25519_ChaChaPoly_BLAKE2b in cacophony's vectors/cacophony.txt: the same keys and payloads, another prologue.
KNOWN_PROLOGUE: Final = b"John Galt"
KNOWN_ASK: Final = (
    "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944"
    "f79a1d4b21fc3ea4a0c87213b8b4f0599d758682c26a3ae5e09195a3e742bc74"
)
KNOWN_ANSWER: Final = (
    "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843"
    "e20b1bf85731f75d7e21b5d54baaa66341de4292c3d42571c1bd7e7f1abe38"
)


def key(secret: str) -> AgreementKey:
    return AgreementKey(bytes.fromhex(secret))


def asker(prologue: bytes = PROLOGUE, master: bytes = bytes.fromhex(MASTER_PUBLIC)) -> Asker:
    return Asker(prologue, key(NODE), key(NODE_EPHEMERAL), master)


def test_both_messages_are_those_of_the_published_vector() -> None:
    node = asker()
    assert node.ask(b"Ludwig von Mises").hex() == ASK
    master = Answerer(PROLOGUE, key(MASTER), bytes.fromhex(ASK))
    assert master.payload == b"Ludwig von Mises"
    assert master.node_public == key(NODE).public
    assert master.transcript == node.transcript
    assert master.answer(key(MASTER_EPHEMERAL), b"Murray Rothbard").hex() == ANSWER
    assert node.read_answer(bytes.fromhex(ANSWER)) == b"Murray Rothbard"


def test_a_forged_answer_leaves_the_exchange_open_for_the_good_one() -> None:
    node = asker()
    node.ask(b"Ludwig von Mises")
    forged = bytearray.fromhex(ANSWER)
    forged[-1] ^= 1
    for _ in range(2):
        with pytest.raises(DecodeError, match="bad handshake"):
            node.read_answer(bytes(forged))
    assert node.read_answer(bytes.fromhex(ANSWER)) == b"Murray Rothbard"


def test_the_answer_to_another_hello_is_refused() -> None:
    other = Asker(PROLOGUE, key(NODE), AgreementKey(b"o" * 32), bytes.fromhex(MASTER_PUBLIC))
    other.ask(b"Ludwig von Mises")
    with pytest.raises(DecodeError, match="bad handshake"):
        other.read_answer(bytes.fromhex(ANSWER))


def test_a_changed_prologue_is_noticed() -> None:
    with pytest.raises(DecodeError, match="bad handshake"):
        Answerer(b"Prologue124", key(MASTER), bytes.fromhex(ASK))


def test_a_hello_for_another_master_is_refused() -> None:
    with pytest.raises(DecodeError, match="bad handshake"):
        Answerer(PROLOGUE, key(NODE), bytes.fromhex(ASK))


def test_too_short_is_truncated() -> None:
    with pytest.raises(DecodeError, match="truncated"):
        Answerer(PROLOGUE, key(MASTER), bytes(95))
    node = asker()
    node.ask(b"")
    with pytest.raises(DecodeError, match="truncated"):
        node.read_answer(bytes(47))


def test_an_ephemeral_key_of_low_order_is_refused_on_both_sides() -> None:
    with pytest.raises(DecodeError, match="bad key"):
        Answerer(PROLOGUE, key(MASTER), bytes(len(ASK) // 2))
    node = asker()
    node.ask(b"")
    with pytest.raises(DecodeError, match="bad key"):
        node.read_answer(bytes(48))


def member(prologue: bytes = KNOWN_PROLOGUE) -> KnownAsker:
    return KnownAsker(prologue, key(NODE), key(NODE_EPHEMERAL), key(MASTER).public)


def giver(prologue: bytes = KNOWN_PROLOGUE, ask: str = KNOWN_ASK, node: str = NODE) -> KnownAnswerer:
    public = key(node).public
    return KnownAnswerer(prologue, key(MASTER), public, key(MASTER).agree(public), bytes.fromhex(ask))


def test_both_messages_for_a_group_key_are_those_of_the_published_vector() -> None:
    node = member()
    assert node.ask(b"Ludwig von Mises").hex() == KNOWN_ASK
    master = giver()
    assert master.payload == b"Ludwig von Mises"
    assert master.transcript == node.transcript
    assert master.answer(key(MASTER_EPHEMERAL), b"Murray Rothbard").hex() == KNOWN_ANSWER
    assert node.read_answer(bytes.fromhex(KNOWN_ANSWER)) == b"Murray Rothbard"


def test_a_question_for_a_group_key_holds_for_one_node_and_one_front() -> None:
    with pytest.raises(DecodeError, match="bad handshake"):
        giver(prologue=b"John Gold")
    with pytest.raises(DecodeError, match="bad handshake"):
        giver(node=MASTER_EPHEMERAL)
    with pytest.raises(DecodeError, match="truncated"):
        giver(ask=KNOWN_ASK[:94])
