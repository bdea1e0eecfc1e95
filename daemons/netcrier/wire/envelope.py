"""The crypto envelope: sealing keys, signatures, key derivation. The one module of `wire` that knows PyNaCl.

Rules:
- A nonce is the first 12 bytes of keyed BLAKE2b over header and plaintext and travels along (the synthetic-IV idea of
  RFC 5297): a restart, a restored snapshot or a take-over cannot use a nonce twice for different plaintexts.
- A signature covers a context string, so one made for one purpose is worth nothing for another.
- Keys come in as bytes; nothing here draws randomness.
- libsodium trusts sizes: they are looked at here.
"""

from __future__ import annotations

from hashlib import blake2b
from hmac import digest as hmac_digest
from typing import Any, Final, NewType

from nacl._sodium import ffi, lib
from nacl.bindings import (
    crypto_scalarmult,
    crypto_scalarmult_base,
    crypto_sign,
    crypto_sign_open,
    crypto_sign_seed_keypair,
)
from nacl.exceptions import CryptoError

from netcrier.errors import DecodeError
from netcrier.ids import PEER_ID_SIZE, MasterId, NodeId

KEY_SIZE: Final = 32
NONCE_SIZE: Final = 12
TAG_SIZE: Final = 16
SIGNATURE_SIZE: Final = 64
DIGEST_SIZE: Final = 16

_BYTES: Final = ffi.typeof("unsigned char[]")
_new: Any = ffi.new_allocator(should_clear_after_alloc=False)

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


class Cipher:
    """ChaCha20-Poly1305 (RFC 8439); that no nonce seals two plaintexts is the caller's part.

    It calls libsodium by PyNaCl's `ffi`: PyNaCl's bindings take four times as long as what they bind, and a node opens
    a thousand pieces of a long message.
    """

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_SIZE:
            raise ValueError(f"a key of {len(key)} bytes")
        self._key = key

    def encrypt(self, nonce: bytes, plaintext: bytes, beside: bytes) -> bytes:
        """Ciphertext and tag; `beside` is authenticated with them."""
        if len(nonce) != NONCE_SIZE:
            raise ValueError(f"a nonce of {len(nonce)} bytes")
        sealed = _new(_BYTES, len(plaintext) + TAG_SIZE)
        lib.crypto_aead_chacha20poly1305_ietf_encrypt(
            sealed, ffi.NULL, plaintext, len(plaintext), beside, len(beside), ffi.NULL, nonce, self._key
        )
        return bytes(ffi.buffer(sealed))

    def decrypt(self, nonce: bytes, sealed: bytes, beside: bytes) -> bytes:
        """The plaintext; DecodeError `bad seal`, or `truncated` where not even a tag is there."""
        if len(nonce) != NONCE_SIZE:
            raise ValueError(f"a nonce of {len(nonce)} bytes")
        size = len(sealed) - TAG_SIZE
        if size < 0:
            raise DecodeError("truncated")
        plaintext = _new(_BYTES, size)
        refused = lib.crypto_aead_chacha20poly1305_ietf_decrypt(
            plaintext, ffi.NULL, ffi.NULL, sealed, len(sealed), beside, len(beside), nonce, self._key
        )
        if refused:
            raise DecodeError("bad seal")
        return bytes(ffi.buffer(plaintext))


class SealKey:
    """ChaCha20-Poly1305 (RFC 8439) with a synthetic nonce, from one 32-byte secret."""

    __slots__ = ("_cipher", "_nonce_key")

    def __init__(self, secret: bytes) -> None:
        self._cipher = Cipher(blake2b(secret, digest_size=KEY_SIZE, person=b"nc seal").digest())
        self._nonce_key = blake2b(secret, digest_size=KEY_SIZE, person=b"nc nonce").digest()

    def seal(self, header: bytes, plaintext: bytes) -> bytes:
        """`header`, nonce, ciphertext, tag."""
        hasher = blake2b(len(header).to_bytes(2, "big"), digest_size=NONCE_SIZE, key=self._nonce_key)
        hasher.update(header)
        hasher.update(plaintext)
        nonce = hasher.digest()
        return header + nonce + self._cipher.encrypt(nonce, plaintext, header)

    def open(self, datagram: bytes, header_size: int) -> bytes:
        """The plaintext of what `seal` made; DecodeError `bad seal` or `truncated`."""
        body = header_size + NONCE_SIZE
        if len(datagram) < body + TAG_SIZE:
            raise DecodeError("truncated")
        return self._cipher.decrypt(datagram[header_size:body], datagram[body:], datagram[:header_size])


def derived_key(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """32 bytes by HKDF-SHA256 (RFC 5869): as long as one of its blocks."""
    return hmac_digest(hmac_digest(salt, secret, "sha256"), info + b"\x01", "sha256")


class Signer:
    """The master's Ed25519 key (RFC 8032), from its 32-byte seed."""

    __slots__ = ("_key", "public")

    def __init__(self, secret: bytes) -> None:
        self.public, self._key = crypto_sign_seed_keypair(secret)

    def sign(self, context: bytes, data: bytes) -> bytes:
        """64 bytes over `context` and `data`."""
        return crypto_sign(context + data, self._key)[:SIGNATURE_SIZE]


class Verifier:
    """A master's Ed25519 public key, of 32 bytes."""

    __slots__ = ("master", "public")

    def __init__(self, public: bytes) -> None:
        if len(public) != KEY_SIZE:
            raise ValueError(f"a public key of {len(public)} bytes")
        self.public = public
        self.master = master_id(public)

    def check(self, context: bytes, data: bytes, signature: bytes) -> None:
        """Returns, or raises DecodeError `bad signature`."""
        if len(signature) != SIGNATURE_SIZE:
            raise DecodeError("bad signature")
        try:
            crypto_sign_open(signature + context + data, self.public)
        except CryptoError:
            raise DecodeError("bad signature") from None


class AgreementKey:
    """An X25519 key pair (RFC 7748)."""

    __slots__ = ("_secret", "public")

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_SIZE:
            raise ValueError(f"a secret of {len(secret)} bytes")
        self._secret, self.public = secret, crypto_scalarmult_base(secret)

    def agree(self, public: bytes) -> bytes:
        """The shared 32 bytes; DecodeError `bad key` where the other key has low order (RFC 7748 section 6.1)."""
        if len(public) != KEY_SIZE:
            raise DecodeError("bad key")
        try:
            return crypto_scalarmult(self._secret, public)
        except RuntimeError:
            raise DecodeError("bad key") from None
