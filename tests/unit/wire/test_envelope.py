"""Seal, signature and agreement: what holds, what does not, and the names made from keys."""

from __future__ import annotations

import pytest
from netcrier.errors import DecodeError
from netcrier.wire.envelope import (
    DIGEST_SIZE,
    NO_CHAIN,
    NONCE_SIZE,
    TAG_SIZE,
    AgreementKey,
    Cipher,
    SealKey,
    Signer,
    Verifier,
    chained,
    derived_key,
    digest,
    master_id,
    node_id,
)

KEY = SealKey(b"k" * 32)
# Points of small order (RFC 7748 section 6.1 asks to refuse the zero that they give).
LOW_ORDER = [
    bytes(32),
    (1).to_bytes(32, "little"),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
]


def test_what_is_sealed_opens_with_the_same_key_and_header() -> None:
    sealed = KEY.seal(b"head", b"plain")
    assert sealed[:4] == b"head"
    assert len(sealed) == 4 + NONCE_SIZE + 5 + TAG_SIZE
    assert KEY.open(sealed, 4) == b"plain"


def test_the_nonce_differs_for_every_header_and_plaintext_and_repeats_for_the_same() -> None:
    pairs = [(b"head", b"plain"), (b"heaD", b"plain"), (b"head", b"plaiN"), (b"headp", b"lain"), (b"hea", b"dplain")]
    nonces = [KEY.seal(head, plain)[len(head) :][:NONCE_SIZE] for head, plain in pairs]
    assert len(set(nonces)) == len(pairs)
    assert KEY.seal(b"head", b"plain") == KEY.seal(b"head", b"plain")


@pytest.mark.parametrize("at", [0, 4, 4 + NONCE_SIZE, -1])
def test_a_changed_header_nonce_text_or_tag_does_not_open(at: int) -> None:
    sealed = bytearray(KEY.seal(b"head", b"plain"))
    sealed[at] ^= 1
    with pytest.raises(DecodeError, match="bad seal"):
        KEY.open(bytes(sealed), 4)


def test_another_key_does_not_open() -> None:
    with pytest.raises(DecodeError, match="bad seal"):
        SealKey(b"K" * 32).open(KEY.seal(b"", b"plain"), 0)


def test_too_short_for_nonce_and_tag_is_truncated() -> None:
    with pytest.raises(DecodeError, match="truncated"):
        KEY.open(bytes(4 + NONCE_SIZE + TAG_SIZE - 1), 4)


def test_a_signature_is_good_for_its_context_data_and_key_alone() -> None:
    signer = Signer(b"s" * 32)
    signature = signer.sign(b"one\0", b"data")
    Verifier(signer.public).check(b"one\0", b"data", signature)
    for public, context, data in [
        (signer.public, b"two\0", b"data"),
        (signer.public, b"one\0", b"dat"),
        (Signer(b"t" * 32).public, b"one\0", b"data"),
    ]:
        with pytest.raises(DecodeError, match="bad signature"):
            Verifier(public).check(context, data, signature)


def test_any_32_bytes_are_taken_for_a_signing_key_that_verifies_nothing() -> None:
    with pytest.raises(DecodeError, match="bad signature"):
        Verifier(b"\xff" * 32).check(b"", b"data", bytes(64))


def test_both_sides_agree_on_one_secret() -> None:
    mine, yours = AgreementKey(b"m" * 32), AgreementKey(b"y" * 32)
    assert mine.agree(yours.public) == yours.agree(mine.public)


@pytest.mark.parametrize("public", LOW_ORDER)
def test_a_key_of_low_order_is_refused(public: bytes) -> None:
    with pytest.raises(DecodeError, match="bad key"):
        AgreementKey(b"m" * 32).agree(public)


def test_the_names_of_a_master_and_a_node_with_the_same_key_differ() -> None:
    assert bytes(master_id(b"p" * 32)) != bytes(node_id(b"p" * 32))
    assert len(master_id(b"p" * 32)) == len(node_id(b"p" * 32)) == 16


def test_a_chain_binds_every_message_and_their_order() -> None:
    one, two = digest(b"1"), digest(b"2")
    assert len(one) == DIGEST_SIZE
    chains = {chained(chained(NO_CHAIN, one), two), chained(chained(NO_CHAIN, two), one), chained(NO_CHAIN, two)}
    assert len(chains) == 3


def test_a_derived_key_depends_on_secret_salt_and_info() -> None:
    keys = {derived_key(*parts) for parts in [(b"a", b"b", b"c"), (b"A", b"b", b"c"), (b"a", b"B", b"c")]}
    assert len(keys | {derived_key(b"a", b"b", b"C")}) == 4


# The functions beneath, by the vectors of their RFCs.


def test_the_cipher_is_that_of_rfc_8439() -> None:
    # Section 2.8.2.
    cipher = Cipher(bytes(range(0x80, 0xA0)))
    nonce, beside = bytes.fromhex("070000004041424344454647"), bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    text = (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would"
        b" be it."
    )
    sealed = cipher.encrypt(nonce, text, beside)
    assert sealed[:16].hex() == "d31a8d34648e60db7b86afbc53ef7ec2"
    assert sealed[-TAG_SIZE:].hex() == "1ae10b594f09e26a7e902ecbd0600691"
    assert cipher.decrypt(nonce, sealed, beside) == text


def test_the_signature_is_that_of_rfc_8032() -> None:
    # Section 7.1, TEST 2.
    signer = Signer(bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"))
    assert signer.public.hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert signer.sign(b"", b"\x72").hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )


def test_the_agreement_is_that_of_rfc_7748() -> None:
    # Section 6.1.
    alice = AgreementKey(bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"))
    bob = AgreementKey(bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"))
    assert alice.public.hex() == "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
    assert alice.agree(bob.public).hex() == "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"


def test_the_derivation_is_that_of_rfc_5869() -> None:
    # Appendix A.1, its first 32 of 42 bytes.
    key = derived_key(b"\x0b" * 22, bytes(range(13)), bytes(range(0xF0, 0xFA)))
    assert key.hex() == "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"


def test_a_key_of_another_size_is_refused() -> None:
    for size in (0, 31, 33):
        for made in (Cipher, Signer, Verifier, AgreementKey):
            with pytest.raises(ValueError, match=r"bytes|seed"):
                made(bytes(size))
        with pytest.raises(DecodeError, match="bad key"):
            AgreementKey(b"m" * 32).agree(bytes(size))


@pytest.mark.parametrize("size", [0, 63, 65])
def test_a_signature_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(DecodeError, match="bad signature"):
        Verifier(Signer(b"s" * 32).public).check(b"", b"data", bytes(size))


def test_what_is_shorter_than_a_tag_is_refused() -> None:
    with pytest.raises(DecodeError, match="truncated"):
        Cipher(b"k" * 32).decrypt(bytes(NONCE_SIZE), bytes(TAG_SIZE - 1), b"")


@pytest.mark.parametrize("size", [0, NONCE_SIZE - 1, NONCE_SIZE + 1])
def test_a_nonce_of_another_size_is_refused(size: int) -> None:
    cipher = Cipher(b"k" * 32)
    for use in (cipher.encrypt, cipher.decrypt):
        with pytest.raises(ValueError, match="nonce"):
            use(bytes(size), bytes(TAG_SIZE), b"")
