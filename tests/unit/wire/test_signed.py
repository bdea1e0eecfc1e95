"""What the signature covers: kind, group and every byte of the content, not the key epoch."""

from __future__ import annotations

import pytest
from netcrier.errors import DecodeError
from netcrier.ids import GroupId
from netcrier.wire.codec import Reader
from netcrier.wire.envelope import SealKey, Signer, Verifier
from netcrier.wire.header import open_down, seal_down
from netcrier.wire.kinds import Kind
from netcrier.wire.signed import content_digest, read_head, signed, split, verify, write_head

from tests import datagrams

VERIFIER = Verifier(datagrams.SIGNER.public)


def test_the_head_is_32_bytes_and_comes_back() -> None:
    data = bytes(write_head(datagrams.HEAD))
    assert len(data) == 32
    assert read_head(Reader(data)) == datagrams.HEAD


def test_a_message_sealed_anew_keeps_its_signature_and_digest() -> None:
    plaintext = datagrams.message_plaintext()
    again = open_down(
        seal_down(Kind.MESSAGE, datagrams.GROUP, 8, SealKey(b"e" * 32), plaintext), {8: SealKey(b"e" * 32)}
    )
    verify(Kind.MESSAGE, datagrams.GROUP, again, VERIFIER)
    digests = {content_digest(Kind.MESSAGE, datagrams.GROUP, text) for text in (plaintext, again)}
    assert len(digests) == 1


def test_a_signature_for_another_kind_or_group_is_worth_nothing() -> None:
    plaintext = datagrams.message_plaintext()
    for kind, group in [(Kind.SOLICIT, datagrams.GROUP), (Kind.MESSAGE, GroupId(b"another!"))]:
        with pytest.raises(DecodeError, match="bad signature"):
            verify(kind, group, plaintext, VERIFIER)


def test_another_signer_is_not_the_master() -> None:
    with pytest.raises(DecodeError, match="bad signature"):
        verify(Kind.MESSAGE, datagrams.GROUP, signed(Kind.MESSAGE, datagrams.GROUP, b"x", Signer(bytes(32))), VERIFIER)


def test_the_digest_names_the_content_not_the_signature() -> None:
    plaintext = datagrams.message_plaintext()
    content = split(plaintext)[0]
    assert content_digest(Kind.MESSAGE, datagrams.GROUP, plaintext) == content_digest(
        Kind.MESSAGE, datagrams.GROUP, content + bytes(64)
    )
    assert content_digest(Kind.MESSAGE, datagrams.GROUP, plaintext) != content_digest(
        Kind.MESSAGE, datagrams.GROUP, content[:-1] + b"\1" + bytes(64)
    )


def test_too_short_for_a_signature_is_truncated() -> None:
    with pytest.raises(DecodeError, match="truncated"):
        split(bytes(63))
