"""A thousand nodes in one process, for a real masterd: the pure machines behind a socket each.

`python -m tests.bench.crowd STATE COUNT` on the host CROWD of a lab whose master's store `enrol` has filled. The nodes
keep nothing on disk. A broadcast is read once and given to all.
"""

from __future__ import annotations

import random
import resource
import secrets
import selectors
import socket
import sys
import time
from pathlib import Path

from netcrier.core.events import Address, NodeRow, Pin, Received
from netcrier.core.node.batch import Lane
from netcrier.core.node.greeting import Self
from netcrier.core.node.hearing import Membership
from netcrier.core.node.kept import Kept
from netcrier.core.node.listener import Listener
from netcrier.ids import LANES, MessageId, NodeId
from netcrier.masterd.recovery import open_sound
from netcrier.runtime.udp import clock_us
from netcrier.wire.envelope import KEY_SIZE, AgreementKey, Signer, node_id

PORT = 12345
NETWORK = "10.78"


def address_of(number: int) -> str:
    """A node's own address, beside the lab's network."""
    return f"{NETWORK}.{number // 250}.{number % 250 + 1}"


def key_of(number: int) -> AgreementKey:
    """A node's key: no secret, it is the same in every run."""
    return AgreementKey(number.to_bytes(4, "big").center(KEY_SIZE, b"k"))  # its ends are clamped


def enrol(state: Path, count: int) -> None:
    """Fill a master's state before its first start: keys, and so many approved nodes."""
    state.mkdir(parents=True)
    store, _ = open_sound(state)
    store.group.keep_nodes([_row(number) for number in range(count)])
    store.group.keys(clock_us())
    store.close()


def _row(number: int) -> NodeRow:
    public = key_of(number).public
    return NodeRow(
        number, NodeId(node_id(public)), public, f"crowd{number}", bytes(16), (), "first-use", True, 1,
        address_of(number), 0, tuple((lane, 1, 0) for lane in LANES),
    )  # fmt: skip


class Crowd:
    """See the module."""

    def __init__(self, state: Path, count: int) -> None:
        store, keys = open_sound(state)
        group = store.group.keys(clock_us())
        store.close()
        signer, agreement = Signer(keys.signing_secret), AgreementKey(keys.agreement_secret)
        pin = Pin(keys.group, signer.public, agreement.public, "", "first-use")
        lanes = tuple(Lane(lane, 1, 0) for lane in LANES)
        self.listeners = [
            Listener(
                Self(key_of(number), 1, bytes(16), f"crowd{number}"), pin,
                Kept(Membership(((group.epoch, group.secret),), number, 1, 0), lanes),
                random.random, secrets.token_bytes,
            )
            for number in range(count)
        ]  # fmt: skip
        self._selector = selectors.DefaultSelector()
        self._all = self._bound("0.0.0.0", None)  # noqa: S104 - broadcasts, in a namespace of its own
        self._own = [self._bound(address_of(number), number) for number in range(count)]

    def run(self) -> None:
        """Until it is killed."""
        while True:
            timers = [timer for listener in self.listeners if (timer := listener.timer) is not None]
            wait = max(0.0, min(timers, default=1e9) - time.monotonic())
            for key, _ in self._selector.select(min(wait, 1.0)):
                assert isinstance(key.fileobj, socket.socket)
                data, source = key.fileobj.recvfrom(2048)
                numbers = range(len(self.listeners)) if key.data is None else (key.data,)
                for number in numbers:
                    self._give(number, data, source)
            now = time.monotonic()
            for number, listener in enumerate(self.listeners):
                if (timer := listener.timer) is not None and timer <= now:
                    listener.handle_timer(now, clock_us())
                    self._settle(number)

    def _give(self, number: int, data: bytes, source: Address) -> None:
        self.listeners[number].receive(Received(data, source, time.monotonic(), clock_us()))
        self._settle(number)

    def _settle(self, number: int) -> None:
        listener, now = self.listeners[number], time.monotonic()
        while listener.next_event() is not None:
            pass
        while (batch := listener.take_batch()) is not None:
            listener.committed(batch, now)
            for lane in batch.lanes:
                listener.delivered(MessageId(lane.term, lane.lane, lane.mark), now)
        for datagram in listener.datagrams_to_send():
            assert isinstance(datagram.to, tuple)
            self._own[number].sendto(datagram.data, datagram.to)

    def _bound(self, address: str, number: int | None) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sock.bind((address, PORT))
        self._selector.register(sock, selectors.EVENT_READ, number)
        return sock


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    Crowd(Path(sys.argv[1]), int(sys.argv[2])).run()
