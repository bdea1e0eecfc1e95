"""The join token: what `netctl token` prints and a node needs to enrol. Text: `netcrier1.` and unpadded base64url.

group 8, master's Ed25519 key 32, X25519 key 32, port 2, token id 8, enrolment secret 32, group's name 1+n, check 4
(BLAKE2b-32 of all before: a cut or mistyped token is told from a wrong one)
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b

import msgspec

from netcrier.errors import DecodeError, UsageError
from netcrier.ids import GROUP_ID_SIZE, GroupId
from netcrier.wire.codec import Reader, Writer
from netcrier.wire.envelope import KEY_SIZE
from netcrier.wire.hello import TOKEN_ID_SIZE
from netcrier.wire.limits import NAME_MAX

_PREFIX = "netcrier1."
_TEXT_MAX = 512


class Token(msgspec.Struct, frozen=True):
    """Where to enrol and with what."""

    group: GroupId
    signing_key: bytes
    agreement_key: bytes
    port: int
    id: bytes
    secret: bytes
    group_name: str


def encode_token(token: Token) -> str:
    """The text for people to carry."""
    writer = (
        Writer().put(token.group, GROUP_ID_SIZE).put(token.signing_key, KEY_SIZE).put(token.agreement_key, KEY_SIZE)
    )
    writer.uint(token.port, 2).put(token.id, TOKEN_ID_SIZE).put(token.secret, KEY_SIZE).text(token.group_name, NAME_MAX)
    content = bytes(writer)
    return _PREFIX + urlsafe_b64encode(content + _check(content)).rstrip(b"=").decode()


def decode_token(text: str) -> Token:
    """The inverse of `encode_token`; UsageError says what is wrong with the text."""
    text = text.strip()
    if not text.startswith(_PREFIX) or len(text) > _TEXT_MAX:
        raise UsageError(
            f"this is not a join token: one begins with {_PREFIX!r} (print one on the master: netctl token)"
        )
    encoded = text.removeprefix(_PREFIX)
    try:
        data = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        reader = Reader(data[:-4])
        token = Token(
            GroupId(reader.take(GROUP_ID_SIZE)),
            reader.take(KEY_SIZE),
            reader.take(KEY_SIZE),
            reader.uint(2),
            reader.take(TOKEN_ID_SIZE),
            reader.take(KEY_SIZE),
            reader.text(NAME_MAX),
        )
        reader.end()
    except (binascii.Error, ValueError, DecodeError):
        raise UsageError("the join token is incomplete or mistyped: copy it whole") from None
    if _check(data[:-4]) != data[-4:]:
        raise UsageError("the join token is incomplete or mistyped: copy it whole")
    return token


def _check(content: bytes) -> bytes:
    return blake2b(content, digest_size=4, person=b"nc token").digest()
