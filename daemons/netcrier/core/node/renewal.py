"""A member's side of a change of the group key: when to ask for the key that it lacks, and which answer counts."""

from __future__ import annotations

from collections.abc import Callable

from netcrier.core.events import Pin
from netcrier.core.node.greeting import Self
from netcrier.core.pacing import renewal_delay
from netcrier.errors import DecodeError
from netcrier.ids import NodeId
from netcrier.wire.envelope import AgreementKey, Verifier, node_id
from netcrier.wire.handshake import KnownAsker
from netcrier.wire.header import UpHeader, read_single, single_front, up_front
from netcrier.wire.kinds import Kind
from netcrier.wire.rekey import Rekey, Renew, decode_rekey, encode_renew

_UNANSWERED = 5
"""Requests without an answer after which the node says hello besides: the master may not know it any more."""


class Renewal:
    """One node's requests for group keys; `chance` gives a float in [0, 1), `entropy(n)` n random bytes."""

    def __init__(self, me: Self, chance: Callable[[], float], entropy: Callable[[int], bytes]) -> None:
        self._me, self._chance, self._entropy = me, chance, entropy
        self._id: NodeId = node_id(me.key.public)
        self._asker: KnownAsker | None = None
        self._asked = 0
        self.timer: float | None = None
        """When to ask next."""

    @property
    def unanswered(self) -> bool:
        """Whether several requests were for nothing."""
        return self._asked >= _UNANSWERED

    def soon(self, now: float, spread: float) -> None:
        """Ask within `spread` seconds, unless a request is due by then: the nodes do not all ask at once.

        A request for an announced key, which has time, does not keep that for one waiting that holds already.
        """
        if self.timer is None or (not self._asked and self.timer > now + spread):
            self.timer = now + spread * self._chance()

    def ask(self, pin: Pin, counter: int, epoch: int, now: float) -> bytes:
        """The plaintext of a RENEW; the next is due later and later while none is answered."""
        clear = up_front(UpHeader(Kind.RENEW, pin.group, self._id, self._me.boot))
        self._asker = KnownAsker(clear, self._me.key, AgreementKey(self._entropy(32)), pin.agreement_key)
        self._asked += 1
        self.timer = now + renewal_delay(self._asked, self._chance())
        return encode_renew(Renew(counter, epoch, self._asker.ask(b"")))

    def addressed(self, data: bytes, pin: Pin | None) -> bytes:
        """The answer in a REKEY that is for this node and was asked for; DecodeError else."""
        node, answer = read_single(data)
        if self._asker is None or pin is None:
            raise DecodeError("unasked key")
        if node != self._id or not data.startswith(single_front(Kind.REKEY, pin.group, node)):
            raise DecodeError("not for this node")
        return answer

    def read(self, answer: bytes, verifier: Verifier) -> Rekey:
        """What the master gives; DecodeError leaves the exchange open."""
        assert self._asker is not None
        return decode_rekey(self._asker.read_answer(answer), self._asker.transcript, verifier)

    def done(self) -> None:
        """The keys are here, or come with a welcome, or there is nobody to ask."""
        self._asker = self.timer = None
        self._asked = 0
