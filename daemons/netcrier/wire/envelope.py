"""The crypto envelope: sealing keys, signatures, key derivation. The one module of `wire` that knows `cryptography`.

Rules:
- A nonce is the first 12 bytes of keyed BLAKE2b over header and plaintext and travels along (the synthetic-IV idea of
  RFC 5297): a restart, a restored snapshot or a take-over cannot use a nonce twice for different plaintexts.
- A signature covers a context string, so one made for one purpose is worth nothing for another.
- Keys come in as bytes; nothing here draws randomness.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final, NewType

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from netcrier.errors import DecodeError
from netcrier.ids import PEER_ID_SIZE, MasterId, NodeId

KEY_SIZE: Final = 32
NONCE_SIZE: Final = 12
TAG_SIZE: Final = 16
SIGNATURE_SIZE: Final = 64
DIGEST_SIZE: Final = 16

Digest = NewType("Digest", bytes)
"""16 bytes of BLAKE2b: what a receipt binds."""

NO_CHAIN: Final = Digest(bytes(DIGEST_SIZE))
"""The chain before the first message of a lane."""


def digest(data: bytes) -> Digest:
    """BLAKE2b-128 of the signed part of a message."""
    return Digest(blake2b(data, digest_size=DIGEST_SIZE).digest())


def chained(before: Digest, message: Digest) -> Digest:
    """The running digest of a lane: binds a cumulative receipt to every message up to its mark."""
    return digest(before + message)


def master_id(public: bytes) -> MasterId:
    """The name of the master whose Ed25519 public key this is."""
    return MasterId(blake2b(public, digest_size=PEER_ID_SIZE, person=b"nc master").digest())


def node_id(public: bytes) -> NodeId:
    """The name of the node whose X25519 public key this is."""
    return NodeId(blake2b(public, digest_size=PEER_ID_SIZE, person=b"nc node").digest())


class SealKey:
    """ChaCha20-Poly1305 (RFC 8439) with a synthetic nonce, from one 32-byte secret."""

    __slots__ = ("_aead", "_nonce_key")

    def __init__(self, secret: bytes) -> None:
        self._aead = ChaCha20Poly1305(blake2b(secret, digest_size=KEY_SIZE, person=b"nc seal").digest())
        self._nonce_key = blake2b(secret, digest_size=KEY_SIZE, person=b"nc nonce").digest()

    def seal(self, header: bytes, plaintext: bytes) -> bytes:
        """`header`, nonce, ciphertext, tag."""
        hasher = blake2b(len(header).to_bytes(2, "big"), digest_size=NONCE_SIZE, key=self._nonce_key)
        hasher.update(header)
        hasher.update(plaintext)
        nonce = hasher.digest()
        return header + nonce + self._aead.encrypt(nonce, plaintext, header)

    def open(self, datagram: bytes, header_size: int) -> bytes:
        """The plaintext of what `seal` made; DecodeError `bad seal` or `truncated`."""
        body = header_size + NONCE_SIZE
        if len(datagram) < body + TAG_SIZE:
            raise DecodeError("truncated")
        try:
            return self._aead.decrypt(datagram[header_size:body], datagram[body:], datagram[:header_size])
        except InvalidTag:
            raise DecodeError("bad seal") from None


def derived_key(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """32 bytes by HKDF-SHA256 (RFC 5869)."""
    return HKDF(SHA256(), KEY_SIZE, salt, info).derive(secret)


class Signer:
    """The master's Ed25519 key."""

    __slots__ = ("_key", "public")

    def __init__(self, secret: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(secret)
        self.public = self._key.public_key().public_bytes_raw()

    def sign(self, context: bytes, data: bytes) -> bytes:
        """64 bytes over `context` and `data`."""
        return self._key.sign(context + data)


class Verifier:
    """A master's Ed25519 public key; `malformed` where the bytes are none."""

    __slots__ = ("_key", "master", "public")

    def __init__(self, public: bytes) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(public)
        self.public = public
        self.master = master_id(public)

    def check(self, context: bytes, data: bytes, signature: bytes) -> None:
        """Returns, or raises DecodeError `bad signature`."""
        try:
            self._key.verify(signature, context + data)
        except InvalidSignature:
            raise DecodeError("bad signature") from None


class AgreementKey:
    """An X25519 key pair."""

    __slots__ = ("_key", "public")

    def __init__(self, secret: bytes) -> None:
        self._key = X25519PrivateKey.from_private_bytes(secret)
        self.public = self._key.public_key().public_bytes_raw()

    def agree(self, public: bytes) -> bytes:
        """The shared 32 bytes; DecodeError `bad key` where the other key has low order (RFC 7748 section 6.1)."""
        try:
            return self._key.exchange(X25519PublicKey.from_public_bytes(public))
        except ValueError:
            raise DecodeError("bad key") from None
