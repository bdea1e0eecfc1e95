"""The node's side of joining: when to say hello, what to say, and which answer counts."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from netcrier.core.events import Pin
from netcrier.core.node.batch import Lane
from netcrier.core.pacing import hello_delay
from netcrier.errors import DecodeError
from netcrier.ids import NodeId
from netcrier.wire.envelope import AgreementKey, Verifier, node_id
from netcrier.wire.handshake import Asker
from netcrier.wire.hello import (
    Hello,
    Welcome,
    decode_welcome,
    encode_hello,
    enrolment_proof,
    hello_front,
    read_welcome_front,
    welcome_front,
)


class Self(msgspec.Struct, frozen=True):
    """Who the node is. `boot` is committed before the first datagram of this run."""

    key: AgreementKey
    boot: int
    machine: bytes
    name: str
    tags: tuple[tuple[str, str], ...] = ()


class Greeting:
    """One node's hellos; `chance` gives a float in [0, 1), `entropy(n)` n random bytes."""

    def __init__(self, me: Self, chance: Callable[[], float], entropy: Callable[[int], bytes]) -> None:
        self._me, self._chance, self._entropy = me, chance, entropy
        self._id: NodeId = node_id(me.key.public)
        self._asker: Asker | None = None
        self._said = 0
        self.timer: float | None = None
        """When to say hello next."""

    def soon(self, now: float) -> None:
        """Say hello shortly, unless one is due already."""
        if self.timer is None:
            self.timer = now + hello_delay(0, self._chance())

    def later(self, at: float) -> None:
        """Say hello at this time, unless one is due already."""
        if self.timer is None:
            self.timer = at

    def again(self, now: float) -> None:
        """Begin anew, with another master or another token."""
        self.timer = None
        self.soon(now)

    def say(self, pin: Pin, lanes: tuple[Lane, ...], now: float) -> bytes:
        """The hello; the next one is due later and later while none is answered."""
        me = self._me
        hello = Hello(me.boot, me.machine, me.name, me.tags, tuple((lane.lane, lane.term, lane.mark) for lane in lanes))
        if pin.token:
            identity, secret = pin.token
            hello = replace(hello, token=identity, proof=enrolment_proof(secret, self._id, me.boot))
        clear = hello_front(pin.group)
        self._asker = Asker(clear, me.key, AgreementKey(self._entropy(32)), pin.agreement_key)
        self._said += 1
        self.timer = now + hello_delay(self._said, self._chance())
        return clear + self._asker.ask(encode_hello(hello))

    def addressed(self, data: bytes, pin: Pin | None) -> bytes:
        """The answer in a welcome that is for this node and was asked for; DecodeError else."""
        node, answer = read_welcome_front(data)
        if self._asker is None or pin is None:
            raise DecodeError("unasked welcome")
        if node != self._id or not data.startswith(welcome_front(pin.group, node)):
            raise DecodeError("not for this node")
        return answer

    def read(self, answer: bytes, verifier: Verifier) -> Welcome:
        """What the master says; DecodeError leaves the exchange open."""
        assert self._asker is not None
        return decode_welcome(self._asker.read_answer(answer), self._asker.transcript, verifier)

    def done(self) -> None:
        """The welcome holds: no more hellos."""
        self._asker = self.timer = None
        self._said = 0
