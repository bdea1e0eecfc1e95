"""How keys are given: two exchanges of the Noise protocol framework (revision 34, sections 5 and 7.5).

    Noise_IK_25519_ChaChaPoly_BLAKE2b   the hello: the master does not know the node yet    Asker, Answerer
    Noise_KK_25519_ChaChaPoly_BLAKE2b   a group key for a member: both keys are known       KnownAsker, KnownAnswerer

The node starts (it knows the master's X25519 key from a signed beacon or its token), the master answers. Both
ephemeral and both static keys are mixed (es, ss; ee, se); the clear header is the prologue, so versions and group are
part of the transcript. Each object lives for one exchange.
"""

from __future__ import annotations

from hashlib import blake2b
from hmac import digest as hmac_digest

from netcrier.errors import DecodeError
from netcrier.wire.envelope import KEY_SIZE, TAG_SIZE, AgreementKey, Cipher

_IK = b"Noise_IK_25519_ChaChaPoly_BLAKE2b"
_KK = b"Noise_KK_25519_ChaChaPoly_BLAKE2b"


class _Symmetric:
    """Noise's SymmetricState: chaining key, transcript hash, cipher key with its counter."""

    def __init__(self, name: bytes, prologue: bytes, *known: bytes) -> None:
        """`known`: the static keys that the pattern takes as known, the asker's first."""
        self._chain = self.transcript = name.ljust(64, b"\0")
        self._key: Cipher | None = None
        self._counter = 0
        self.mix_hash(prologue)
        for public in known:
            self.mix_hash(public)

    def mix_hash(self, data: bytes) -> None:
        self.transcript = blake2b(self.transcript + data).digest()

    def mix_key(self, shared: bytes) -> None:
        temporary = hmac_digest(self._chain, shared, "blake2b")
        self._chain = hmac_digest(temporary, b"\x01", "blake2b")
        self._key = Cipher(hmac_digest(temporary, self._chain + b"\x02", "blake2b")[:KEY_SIZE])
        self._counter = 0

    def _nonce(self) -> bytes:
        nonce = bytes(4) + self._counter.to_bytes(8, "little")
        self._counter += 1
        return nonce

    def encrypt(self, plaintext: bytes) -> bytes:
        assert self._key is not None
        ciphertext = self._key.encrypt(self._nonce(), plaintext, self.transcript)
        self.mix_hash(ciphertext)
        return ciphertext

    def decrypt(self, ciphertext: bytes) -> bytes:
        assert self._key is not None
        try:
            plaintext = self._key.decrypt(self._nonce(), ciphertext, self.transcript)
        except DecodeError:
            raise DecodeError("bad handshake") from None
        self.mix_hash(ciphertext)
        return plaintext


class Asker:
    """The node's side: `ask` once, then `read_answer` for each answer that arrives until one is good."""

    def __init__(self, prologue: bytes, static: AgreementKey, ephemeral: AgreementKey, master: bytes) -> None:
        self._static, self._ephemeral, self._master = static, ephemeral, master
        self._state = _Symmetric(_IK, prologue, master)

    def ask(self, payload: bytes) -> bytes:
        """Ephemeral key, sealed static key, sealed payload: 32 + 48 + len(payload) + 16 bytes."""
        state = self._state
        state.mix_hash(self._ephemeral.public)
        state.mix_key(self._ephemeral.agree(self._master))
        static = state.encrypt(self._static.public)
        state.mix_key(self._static.agree(self._master))
        return self._ephemeral.public + static + state.encrypt(payload)

    @property
    def transcript(self) -> bytes:
        """64 bytes: the hash of all said so far. The answer's signature covers it as it stands after `ask`."""
        return self._state.transcript

    def read_answer(self, answer: bytes) -> bytes:
        """The payload; DecodeError leaves the exchange open for another answer."""
        if len(answer) < KEY_SIZE + TAG_SIZE:
            raise DecodeError("truncated")
        trial = _Symmetric.__new__(_Symmetric)
        trial.__dict__.update(self._state.__dict__)
        ephemeral = answer[:KEY_SIZE]
        trial.mix_hash(ephemeral)
        trial.mix_key(self._ephemeral.agree(ephemeral))
        trial.mix_key(self._static.agree(ephemeral))
        return trial.decrypt(answer[KEY_SIZE:])


class Answerer:
    """The master's side of one hello; raises DecodeError where it does not hold."""

    def __init__(self, prologue: bytes, static: AgreementKey, hello: bytes) -> None:
        if len(hello) < 2 * KEY_SIZE + 2 * TAG_SIZE:
            raise DecodeError("truncated")
        self._state = state = _Symmetric(_IK, prologue, static.public)
        self._ephemeral = hello[:KEY_SIZE]
        state.mix_hash(self._ephemeral)
        state.mix_key(static.agree(self._ephemeral))
        self.node_public = state.decrypt(hello[KEY_SIZE : 2 * KEY_SIZE + TAG_SIZE])
        state.mix_key(static.agree(self.node_public))
        self.payload = state.decrypt(hello[2 * KEY_SIZE + TAG_SIZE :])
        self.transcript = state.transcript

    def answer(self, ephemeral: AgreementKey, payload: bytes) -> bytes:
        """Ephemeral key and sealed payload: 32 + len(payload) + 16 bytes."""
        state = self._state
        state.mix_hash(ephemeral.public)
        state.mix_key(ephemeral.agree(self._ephemeral))
        state.mix_key(ephemeral.agree(self.node_public))
        return ephemeral.public + state.encrypt(payload)


class KnownAsker(Asker):
    """A member's side: as `Asker`, without its static key, which the master knows."""

    def __init__(self, prologue: bytes, static: AgreementKey, ephemeral: AgreementKey, master: bytes) -> None:
        super().__init__(prologue, static, ephemeral, master)
        self._state = _Symmetric(_KK, prologue, static.public, master)

    def ask(self, payload: bytes) -> bytes:
        """Ephemeral key and sealed payload: 32 + len(payload) + 16 bytes."""
        state = self._state
        state.mix_hash(self._ephemeral.public)
        state.mix_key(self._ephemeral.agree(self._master))
        state.mix_key(self._static.agree(self._master))
        return self._ephemeral.public + state.encrypt(payload)


class KnownAnswerer(Answerer):
    """The master's side for a member with the static key `node`; `shared` is what both static keys agree on."""

    def __init__(self, prologue: bytes, static: AgreementKey, node: bytes, shared: bytes, question: bytes) -> None:
        if len(question) < KEY_SIZE + TAG_SIZE:
            raise DecodeError("truncated")
        self._state = state = _Symmetric(_KK, prologue, node, static.public)
        self._ephemeral, self.node_public = question[:KEY_SIZE], node
        state.mix_hash(self._ephemeral)
        state.mix_key(static.agree(self._ephemeral))
        state.mix_key(shared)
        self.payload = state.decrypt(question[KEY_SIZE:])
        self.transcript = state.transcript
