"""A stolen node: it has its own keys, the group's, and all traffic recorded."""

from __future__ import annotations

from netcrier.core.events import Received
from netcrier.wire import signed
from netcrier.wire.beacon import Beacon, LaneSpan, Marks, encode_beacon
from netcrier.wire.envelope import SealKey, Signer, node_id
from netcrier.wire.header import (
    UpHeader,
    seal_down,
    seal_up,
    up_key,
)
from netcrier.wire.kinds import Kind
from netcrier.wire.signed import Head

from tests.network import Network
from tests.network_node import Node

THIEF_SIGNER = Signer(b"thief".ljust(32))


class Theft:
    """Three nodes; the first is stolen. `sent` and `risen` of the network are the recording."""

    def __init__(self, seed: int, is_open: bool = True) -> None:
        self.net = net = Network(3, seed, is_open=is_open)
        net.run(30, until=lambda: all(node.listener.enrolled for node in net.nodes))
        self.told = net.broadcast(b"told")
        net.run(2)
        self.thief, self.victim = net.nodes[0], net.nodes[1]
        assert self.victim.log == [self.told.id]

    @property
    def head(self) -> Head:
        """The master's, with a counter that it has not come to."""
        return Head(self.net.master.id, 1, self.net.boot, 1 << 40)

    def sealed(self, kind: Kind, content: bytes) -> bytes:
        """Signed by the thief, under the true group key."""
        epoch, secret = self.thief.membership.keys[0]
        plaintext = signed.signed(kind, self.net.group, content, THIEF_SIGNER)
        return seal_down(kind, self.net.group, epoch, SealKey(secret), plaintext)

    def beacon(self, next_epoch: int = 0, signing_key: bytes = b"") -> bytes:
        """As the master's, signed by the thief."""
        net, (epoch, secret) = self.net, self.thief.membership.keys[0]
        beacon = Beacon(
            net.group, epoch, signing_key or net.signer.public, net.agreement.public, 1, net.boot, 1 << 40, True,
            12346, ("10.9.9.9",),
        )  # fmt: skip
        marks = Marks((LaneSpan(0, 99, 1),), 2000, 10_000, net.now_us, "lab", next_epoch, 5000 if next_epoch else 0)
        return encode_beacon(beacon, marks, SealKey(secret), THIEF_SIGNER)

    def up(self, kind: Kind, content: bytes, node: bytes | None = None, boot: int | None = None) -> bytes:
        """Upward, in the victim's name, sealed with what the thief can agree on with the master."""
        name = self.victim.listener.id if node is None else node_id(node)
        boot = self.victim.boot if boot is None else boot
        key = up_key(
            self.thief.key.agree(self.net.agreement.public), kind, self.net.group, self.net.master.id,
            (1, self.net.boot, boot), name,
        )  # fmt: skip
        return seal_up(UpHeader(kind, self.net.group, name, boot), key, content)


def state(node: Node) -> tuple[object, ...]:
    """All that the network could change on a node."""
    listener = node.listener
    return (
        listener.membership, listener.pin, listener.inbox.lanes, list(node.log), listener._joining._renewal.timer,
        listener._joining._greeting.timer, listener._upward.to, listener.behind,
    )  # fmt: skip


def strike(theft: Theft, data: bytes) -> None:
    """One datagram, delivered to the victim at this instant; it must be counted and change nothing."""
    listener = theft.victim.listener
    before, refused = state(theft.victim), listener.refused.total()
    listener.receive(Received(data, ("10.0.1.1", 12345), theft.net.now, theft.net.now_us))
    assert state(theft.victim) == before
    assert listener.refused.total() == refused + 1
    assert listener.take_batch() is None
