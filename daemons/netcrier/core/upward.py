"""Sealing what a node says to its master: a key for each kind, made anew whenever either side has another boot."""

from __future__ import annotations

from netcrier.core.events import Pin
from netcrier.ids import NodeId
from netcrier.wire.envelope import AgreementKey, SealKey, master_id, node_id
from netcrier.wire.header import UpHeader, seal_behind, up_front, up_key
from netcrier.wire.kinds import Kind


class Upward:
    """The seals of one node; `trust` says for which master. The counter goes on whatever master it is."""

    def __init__(self, key: AgreementKey, boot: int) -> None:
        self._key, self._boot = key, boot
        self._id: NodeId = node_id(key.public)
        self._pin: Pin | None = None
        self._numbers = (0, 0)
        self._keys: dict[Kind, tuple[bytes, SealKey]] = {}
        """By kind: the clear front of every datagram, and the seal."""
        self._counter = 0

    def trust(self, pin: Pin) -> None:
        """Speak to this master from now on."""
        self._pin = pin
        self._keys.clear()

    def next_counter(self) -> int:
        """Rises by one with everything that the node says in this boot."""
        self._counter += 1
        return self._counter

    def seal(self, kind: Kind, plaintext: bytes, numbers: tuple[int, int]) -> bytes:
        """The datagram; `numbers` are the master's term and boot."""
        pin = self._pin
        assert pin is not None
        if numbers != self._numbers:
            self._keys.clear()
            self._numbers = numbers
        known = self._keys.get(kind)
        if known is None:
            shared = self._key.agree(pin.agreement_key)
            boots = (*numbers, self._boot)
            key = up_key(shared, kind, pin.group, master_id(pin.signing_key), boots, self._id)
            known = self._keys[kind] = (up_front(UpHeader(kind, pin.group, self._id, self._boot)), key)
        return seal_behind(*known, plaintext)
