"""RENEW and REKEY: sizes, padding, and who can give keys away."""

from __future__ import annotations

import pytest
from netcrier.errors import DecodeError
from netcrier.wire.envelope import SIGNATURE_SIZE, Signer, Verifier
from netcrier.wire.header import UP_SIZE
from netcrier.wire.limits import RENEW_SIZE
from netcrier.wire.rekey import decode_rekey, decode_renew, encode_rekey, encode_renew

from tests import datagrams

TRANSCRIPT = bytes(64)
VERIFIER = Verifier(datagrams.SIGNER.public)


def test_every_request_has_one_size_and_no_other_is_read() -> None:
    assert len(datagrams.renew()) == RENEW_SIZE
    plaintext = encode_renew(datagrams.member()[1])
    assert len(plaintext) == RENEW_SIZE - UP_SIZE - 28
    for data in (plaintext[:-1], plaintext + b"\0"):
        with pytest.raises(DecodeError, match="malformed"):
            decode_renew(data)


def test_nothing_hides_in_the_padding() -> None:
    plaintext = bytearray(encode_renew(datagrams.member()[1]))
    plaintext[-1] = 1
    with pytest.raises(DecodeError, match="trailing"):
        decode_renew(bytes(plaintext))


def test_keys_that_another_has_signed_or_signed_for_another_exchange_are_refused() -> None:
    forged = encode_rekey(datagrams.REKEY, TRANSCRIPT, Signer(b"t" * 32))
    for payload in (forged, encode_rekey(datagrams.REKEY, b"t" * 64, datagrams.SIGNER)):
        with pytest.raises(DecodeError, match="bad signature"):
            decode_rekey(payload, TRANSCRIPT, VERIFIER)


def test_an_answer_without_a_key_or_with_three_is_malformed() -> None:
    for count in (0, 3):
        content = bytes(8) + bytes((count,)) + bytes(36 * count)
        payload = datagrams.SIGNER.sign(b"netcrier 1 rekey\0", TRANSCRIPT + content) + content
        assert len(payload) > SIGNATURE_SIZE
        with pytest.raises(DecodeError, match="malformed"):
            decode_rekey(payload, TRANSCRIPT, VERIFIER)
