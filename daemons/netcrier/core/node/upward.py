"""What a node says to its master: sealed with a key for each kind, made anew whenever either side has another boot."""

from __future__ import annotations

from netcrier.core.events import Address, Datagram, Pin
from netcrier.core.node.hearing import Hearing
from netcrier.ids import NodeId
from netcrier.wire.envelope import AgreementKey, SealKey, node_id
from netcrier.wire.header import UpHeader, seal_behind, up_front, up_key
from netcrier.wire.kinds import Kind


class Upward:
    """One node's; `hearing` knows the master and its numbers. The counter goes on whatever master it is."""

    def __init__(self, key: AgreementKey, boot: int, hearing: Hearing) -> None:
        self.to: Address | None = None
        """Where the master listens; None until a beacon has said it."""
        self._key, self._boot, self._hearing = key, boot, hearing
        self._id: NodeId = node_id(key.public)
        self._out: list[Datagram] = []
        self._made_for: tuple[Pin | None, tuple[int, int]] = (None, (0, 0))
        self._keys: dict[Kind, tuple[bytes, SealKey]] = {}
        """By kind: the clear front of every datagram, and the seal."""
        self._counter = 0

    def next_counter(self) -> int:
        """Rises by one with everything that the node says in this boot."""
        self._counter += 1
        return self._counter

    def say(self, kind: Kind, plaintext: bytes) -> None:
        """To the master alone, whose address is known."""
        assert self.to is not None
        self.send(Datagram(self.sealed(kind, plaintext), self.to))

    def send(self, datagram: Datagram) -> None:
        """As it is."""
        self._out.append(datagram)

    def take(self) -> list[Datagram]:
        """What is to leave; forgotten here."""
        out, self._out = self._out, []
        return out

    def sealed(self, kind: Kind, plaintext: bytes) -> bytes:
        """The datagram."""
        pin, numbers = self._hearing.pin, self._hearing.numbers
        assert pin is not None
        if (pin, numbers) != self._made_for:
            self._keys.clear()
            self._made_for = (pin, numbers)
        known = self._keys.get(kind)
        if known is None:
            shared = self._key.agree(pin.agreement_key)
            boots = (*numbers, self._boot)
            key = up_key(shared, kind, pin.group, self._hearing.verifier.master, boots, self._id)
            known = self._keys[kind] = (up_front(UpHeader(kind, pin.group, self._id, self._boot)), key)
        return seal_behind(*known, plaintext)
