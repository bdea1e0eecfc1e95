"""What the master signs: a head that places it in (term, boot, counter), then the fields of its kind.

The signature covers a context, group, kind, version and the whole plaintext, not the key epoch: a stored message is
sealed anew under the epoch of the day and never signed again.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

import msgspec

from netcrier.errors import DecodeError
from netcrier.ids import PEER_ID_SIZE, GroupId, MasterId
from netcrier.wire.codec import Reader, Writer
from netcrier.wire.envelope import SIGNATURE_SIZE, Digest, Signer, Verifier, digest
from netcrier.wire.header import front
from netcrier.wire.kinds import Kind

_CONTEXT = b"netcrier 1 signed\0"
_HEAD: Final = Struct(f">{PEER_ID_SIZE}sIIQ")


class Head(msgspec.Struct, frozen=True):
    """Who signed, and when in the order of its datagrams: term and boot on disk, a counter within the boot."""

    master: MasterId
    term: int
    boot: int
    counter: int


def write_head(head: Head) -> Writer:
    """The 32 bytes that every signed plaintext begins with."""
    return Writer().put(head.master, PEER_ID_SIZE).uint(head.term, 4).uint(head.boot, 4).uint(head.counter, 8)


def read_head(reader: Reader) -> Head:
    """The inverse of `write_head`."""
    return Head(*reader.fields(_HEAD))


def signed(kind: Kind, group: GroupId, content: bytes, signer: Signer) -> bytes:
    """`content` and its signature."""
    return content + signer.sign(_CONTEXT, front(kind, group) + content)


def split(plaintext: bytes) -> tuple[bytes, bytes]:
    """Content and signature of a signed plaintext; nothing is verified yet."""
    if len(plaintext) < SIGNATURE_SIZE:
        raise DecodeError("truncated")
    return plaintext[:-SIGNATURE_SIZE], plaintext[-SIGNATURE_SIZE:]


def verify(kind: Kind, group: GroupId, plaintext: bytes, verifier: Verifier) -> None:
    """Returns, or raises DecodeError `bad signature`."""
    content, signature = split(plaintext)
    verifier.check(_CONTEXT, front(kind, group) + content, signature)


def content_digest(kind: Kind, group: GroupId, plaintext: bytes) -> Digest:
    """The digest of what the signature covers: the name of this very message in receipts and chains."""
    return digest(_CONTEXT + front(kind, group) + split(plaintext)[0])
