"""RENEW and REKEY: how a member gets a group key that it lacks, by an exchange of Noise KK (handshake.py).

    RENEW    up front 32, nonce 12, sealed as REPORT: counter 8, newest epoch of which the node has the key 4,
             ephemeral 32 and tag 16 of the exchange, zeros; 256 bytes in all
    REKEY    front 12, node 16 | ephemeral 32, sealed: signature 64, then term 4, boot 4,
             keys 1+n*(epoch 4, key 32; the current one first, then the announced one)

The node's own seal stands in front, so the master refuses what no member has sent, and what it has heard before, at the
price of one AEAD; only then keys are agreed on. The clear front of RENEW is the Noise prologue. The signature covers
the transcript (the node's ephemeral key is the nonce) and the rest: who has the master's X25519 key alone cannot give
keys away, and none of the four static and ephemeral agreements can be left out to read the answer.
"""

from __future__ import annotations

from typing import Final

import msgspec

from netcrier.errors import DecodeError
from netcrier.wire.codec import Reader, Writer
from netcrier.wire.envelope import KEY_SIZE, NONCE_SIZE, SIGNATURE_SIZE, TAG_SIZE, Signer, Verifier
from netcrier.wire.header import UP_SIZE
from netcrier.wire.limits import RENEW_SIZE

_KEYS_MAX = 2
_CONTEXT = b"netcrier 1 rekey\0"
_QUESTION_SIZE: Final = KEY_SIZE + TAG_SIZE
_PLAINTEXT_SIZE: Final = RENEW_SIZE - UP_SIZE - NONCE_SIZE - TAG_SIZE


class Renew(msgspec.Struct, frozen=True):
    """A member asks for the keys that it lacks. `epoch`: the newest that it has; `question`: of the exchange."""

    counter: int
    epoch: int
    question: bytes


class Rekey(msgspec.Struct, frozen=True):
    """The group's keys as (epoch, secret), the current one first."""

    term: int
    boot: int
    keys: tuple[tuple[int, bytes], ...]


def encode_renew(renew: Renew) -> bytes:
    """The plaintext to seal, padded."""
    writer = Writer().uint(renew.counter, 8).uint(renew.epoch, 4).put(renew.question, _QUESTION_SIZE)
    return bytes(writer).ljust(_PLAINTEXT_SIZE, b"\0")


def decode_renew(plaintext: bytes) -> Renew:
    """The inverse of `encode_renew`."""
    if len(plaintext) != _PLAINTEXT_SIZE:
        raise DecodeError("malformed", "renew of another size")
    reader = Reader(plaintext)
    renew = Renew(reader.uint(8), reader.uint(4), reader.take(_QUESTION_SIZE))
    if any(reader.rest()):
        raise DecodeError("trailing", "renew")
    return renew


def encode_rekey(rekey: Rekey, transcript: bytes, signer: Signer) -> bytes:
    """The payload to seal; `transcript` is the exchange's hash after the question."""
    assert len(rekey.keys) <= _KEYS_MAX
    writer = Writer().uint(rekey.term, 4).uint(rekey.boot, 4).uint(len(rekey.keys), 1)
    for epoch, key in rekey.keys:
        writer.uint(epoch, 4).put(key, KEY_SIZE)
    content = bytes(writer)
    return signer.sign(_CONTEXT, transcript + content) + content


def decode_rekey(payload: bytes, transcript: bytes, verifier: Verifier) -> Rekey:
    """The inverse of `encode_rekey`; DecodeError `bad signature` where another than the master answered."""
    reader = Reader(payload)
    signature, content = reader.take(SIGNATURE_SIZE), reader.rest()
    verifier.check(_CONTEXT, transcript + content, signature)
    reader = Reader(content)
    term, boot = reader.uint(4), reader.uint(4)
    keys = tuple((reader.uint(4), reader.take(KEY_SIZE)) for _ in range(reader.count(_KEYS_MAX)))
    reader.end()
    if not keys:
        raise DecodeError("malformed", "rekey without a key")
    return Rekey(term, boot, keys)
