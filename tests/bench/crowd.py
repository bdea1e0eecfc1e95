"""Thousands of nodes in one process, for a real masterd: the pure machines, each with an address of its own.

`python -m tests.bench.crowd STATE COUNT` on the host CROWD of a lab whose master's store `enrol` has filled. The nodes
keep nothing on disk. A broadcast is read once and given to all.
"""

from __future__ import annotations

import heapq
import random
import secrets
import socket
import struct
import sys
import time
from pathlib import Path

from netcrier.core.events import Address, NodeRow, Pin, Received
from netcrier.core.node.batch import Lane
from netcrier.core.node.greeting import Self
from netcrier.core.node.hearing import Membership
from netcrier.core.node.judge import known_of
from netcrier.core.node.kept import Kept
from netcrier.core.node.listener import Listener
from netcrier.ids import LANES, NodeId
from netcrier.masterd.store.recovery import open_sound
from netcrier.runtime.udp import clock_us
from netcrier.wire.envelope import KEY_SIZE, AgreementKey, Signer, node_id

PORT = 12345
_PKTINFO, _RCVBUFFORCE = 8, 33  # ip(7), socket(7)
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
        store, own = open_sound(state)
        group = store.group.keys(clock_us())
        store.close()
        signer, agreement = Signer(own.signing_secret), AgreementKey(own.agreement_secret)
        pin = Pin(own.group, signer.public, agreement.public, "", "first-use")
        keys, lanes = ((group.epoch, group.secret),), tuple(Lane(lane, 1, 0) for lane in LANES)
        names = [f"crowd{number}" for number in range(count)]
        self.listeners = [
            Listener(
                Self(key_of(number), 1, bytes(16), name), pin,
                Kept(Membership(keys, number, 1, 0, told=known_of(name, ())), lanes),
                random.random, secrets.token_bytes,
            )
            for number, name in enumerate(names)
        ]  # fmt: skip
        self._places = {socket.inet_aton(address_of(number)): number for number in range(count)}
        self._armed: list[float | None] = [None] * count
        self._timers: list[tuple[float, int]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.IPPROTO_IP, _PKTINFO, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, 64 << 20)
        self._socket.bind(("0.0.0.0", PORT))  # noqa: S104 - in a namespace of its own

    def run(self) -> None:
        """Until it is killed."""
        while True:
            due = self._timers[0][0] - time.monotonic() if self._timers else 1.0
            self._socket.settimeout(max(1e-4, due))
            try:
                data, beside, _, source = self._socket.recvmsg(2048, 64)
            except TimeoutError:
                data = b""
            if data:
                number = self._places.get(beside[0][2][8:12])  # struct in_pktinfo: ipi_addr
                for place in range(len(self.listeners)) if number is None else (number,):
                    self._give(place, data, source)
            while self._timers and self._timers[0][0] <= time.monotonic():
                self._look(heapq.heappop(self._timers)[1])

    def _give(self, number: int, data: bytes, source: Address) -> None:
        self.listeners[number].receive(Received(data, source, time.monotonic(), clock_us()))
        self._settle(number)

    def _look(self, number: int) -> None:
        """A timer of this node has been due; a look that comes too early changes nothing."""
        listener, now = self.listeners[number], time.monotonic()
        self._armed[number] = None
        if (timer := listener.timer) is not None and timer <= now:
            listener.handle_timer(now, clock_us())
        self._settle(number)

    def _settle(self, number: int) -> None:
        listener, now = self.listeners[number], time.monotonic()
        while listener.next_event() is not None:
            pass
        while (batch := listener.take_batch()) is not None:
            listener.committed(batch, now)
            listener.all_delivered(now)
        for datagram in listener.datagrams_to_send():
            assert isinstance(datagram.to, tuple)
            own = struct.pack("=i4s4x", 0, socket.inet_aton(address_of(number)))  # ipi_spec_dst: whence it leaves
            self._socket.sendmsg([datagram.data], [(socket.IPPROTO_IP, _PKTINFO, own)], 0, datagram.to)
        timer, armed = listener.timer, self._armed[number]
        if timer is not None and (armed is None or timer < armed):
            self._armed[number] = timer
            heapq.heappush(self._timers, (timer, number))


if __name__ == "__main__":
    Crowd(Path(sys.argv[1]), int(sys.argv[2])).run()
