"""Thousands of nodes and their master in one process: the pure machines, invented time, bad luck from a seed.

Datagrams are lost, doubled and overtake one another; groups of nodes are cut off for a while; a thief of a node, who
has the group key, sends forgeries and recordings. `Multitude.check` holds what is left against the promises.
Left out: enrolment (20 hellos a second would take minutes of invented time; test_exchange.py has it).
"""

from __future__ import annotations

import heapq
import random
import resource
from collections import Counter
from dataclasses import dataclass
from typing import Final

from netcrier.core.events import Address, Audience, Datagram, NodeRow, Pin, Received
from netcrier.core.node.batch import Lane
from netcrier.core.node.hearing import Membership
from netcrier.core.node.judge import known_of
from netcrier.ids import LANES, MessageId
from netcrier.wire import signed
from netcrier.wire.envelope import Signer
from netcrier.wire.header import read_kind
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import HELD_MAX, REPAIRS_MAX
from netcrier.wire.message import Message, encode_message
from netcrier.wire.signed import Head

from tests.network import MASTER, Network
from tests.network_node import Node

MASTER_PLACE: Final = -1


@dataclass(frozen=True, slots=True)
class Luck:
    """What befalls a datagram, and how often a part of the nodes is cut off."""

    loss: float = 0.05
    doubled: float = 0.02
    delay: float = 0.010
    """Seconds, at most: later ones overtake earlier ones."""
    cut_off: float = 0.02
    """The share of the nodes that is cut off at a time."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to."""

    seed: int
    nodes: int
    messages: int
    deliveries: int
    forged: int
    datagrams: int
    seconds: float
    """Of invented time."""
    resident_mib: float


class Multitude:
    """One run. The network's master is used with its store in memory, and nodes of the same kind."""

    def __init__(self, nodes: int, seed: int, luck: Luck = Luck()) -> None:
        self.seed, self.luck = seed, luck
        self.chance = random.Random(seed)
        self.net = Network(0, seed)
        self.nodes = [Node(number, self.chance) for number in range(nodes)]
        self.places: dict[Address, int] = {}
        self.cut: set[int] = set()
        self.ever_cut: set[int] = set()
        self.sent: dict[MessageId, bytes] = {}
        self.datagrams = self.forged = 0
        self.said: Counter[Kind] = Counter()
        """What the machines said; of a datagram for all, one."""
        self._recorded: list[bytes] = []
        self._heap: list[tuple[float, int, int, bytes | None, Address]] = []
        self._order = 0
        self._armed: dict[int, float] = {}
        self._enrol()

    def run(self, messages: int, every: float, *, take_over: bool = False) -> Outcome:
        """Send the messages, then heal and wait; holds all promises or raises AssertionError with the seed.

        `take_over`: another master begins a new term after half of them, while nodes lack some.
        """
        began = self.net.now
        self._pass(2.0)  # the nodes hear a beacon and report
        for number in range(messages):
            if number % 5 == 1:
                self._cut_off()
            if take_over and number == messages // 2:
                self.net.begin_term(self.net.term + 1)
                self._settle_master()
            body = b"%d %d" % (self.seed, number)
            composed = self.net.broadcast(body, lane=int(number % 7 == 3))
            self.sent[composed.id] = body
            self._settle_master()
            self._forge()
            self._pass(every)
        self.cut.clear()
        self._wait()
        self.check()
        resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        deliveries = sum(len(node.log) for node in self.nodes)
        return Outcome(
            self.seed,
            len(self.nodes),
            messages,
            deliveries,
            self.forged,
            self.datagrams,
            self.net.now - began,
            resident,
        )

    def check(self) -> None:
        """Everything once, in order, as sent, known to the master, and within the bounds of memory."""
        name = f"seed {self.seed}"
        for node in self.nodes:
            assert len(set(node.log)) == len(node.log), f"{name}: node {node.number} has a message twice"
            for lane in LANES:
                expected = [message for message in self.sent if message.lane == lane]
                found = [message for message in node.log if message.lane == lane]
                assert found == expected, f"{name}: node {node.number} lacks a message, or has them in another order"
            for identity, arrival in node.journal.items():
                assert arrival.message.body == self.sent[identity], f"{name}: node {node.number} took a forgery"
        told = {done.message for done in self.net.completed}
        assert told == set(self.sent), f"{name}: the master does not know that {set(self.sent) - told} arrived"
        self.check_bounds()

    def check_bounds(self) -> None:
        """What a peer can grow is within its limit."""
        for node in self.nodes:
            assert all(len(lane.held) <= HELD_MAX for lane in node.listener.inbox.lanes), f"seed {self.seed}"
        assert len(self.net.master.repair.repeats._wanted) <= REPAIRS_MAX, f"seed {self.seed}"

    # How it works

    def _enrol(self) -> None:
        net = self.net
        pin = Pin(net.group, net.signer.public, net.agreement.public, "lab", "first-use")
        keys = ((net.keys.epoch, net.keys.secret),)
        for node in self.nodes:
            self.places[node.address] = node.number
            row = NodeRow(
                node.number, node.listener.id, node.key.public, f"node{node.number}", bytes(16), (), "first-use", True,
                node.boot, node.address[0], 0, tuple((lane, 1, 0) for lane in LANES),
            )  # fmt: skip
            net.rows[row.id] = row
            net.master.enlist(row)
            node.pin = pin
            node.membership = Membership(keys, node.number, 1, net.boot, "lab", known_of(row.name, row.tags))
            node.lanes = tuple(Lane(lane, 1, 0) for lane in LANES)
            node.boot -= 1  # the same boot, with what the enrolment would have brought
            node.start()

    def _cut_off(self) -> None:
        count = int(len(self.nodes) * self.luck.cut_off)
        self.cut = set(self.chance.sample(range(len(self.nodes)), count))
        self.ever_cut |= self.cut

    def _forge(self) -> None:
        """What the thief of a node can send: another's signature under the group key, and what it has recorded."""
        net, victim = self.net, self.chance.choice(self.nodes)
        highest = net.lanes[0].highest
        head = Head(net.master.id, 1, net.boot, 10**6 + self.forged)
        message = Message(head, 0, highest + self.chance.randint(0, 2), 2000, net.now_us, b"forged")
        content = encode_message(message)
        plaintext = signed.signed(Kind.MESSAGE, net.group, content, Signer(self.chance.randbytes(32)))
        forgery = net.master.voice.sealed(Kind.MESSAGE, plaintext)
        for data in (forgery, *self.chance.sample(self._recorded, min(3, len(self._recorded)))):
            self._push(net.now, victim.number, data, ("10.9.9.9", 4444))
            self.forged += 1

    def _wait(self) -> None:
        """Until the master knows of every delivery."""
        end = self.net.now + 120
        while len(self.net.completed) < len(self.sent) and self.net.now < end:
            self._pass(0.25)
        self._pass(1.0)

    def _pass(self, seconds: float) -> None:
        end = self.net.now + seconds
        self._arm(MASTER_PLACE, self.net.master.timer)
        while self._heap and self._heap[0][0] <= end:
            at, _, place, data, source = heapq.heappop(self._heap)
            self.net.now = max(self.net.now, at)
            if place == MASTER_PLACE:
                self._turn_master(data, source)
            else:
                self._turn_node(place, data, source)
        self.net.now = end

    def _turn_master(self, data: bytes | None, source: Address) -> None:
        net = self.net
        if data is not None:
            net.master.receive(Received(data, source, net.now, net.now_us))
        elif net.master.timer <= net.now:
            net.master.handle_timer(net.now, net.now_us)
        self._settle_master()

    def _settle_master(self) -> None:
        net = self.net
        net._settle_master()
        for datagram in net.master.datagrams_to_send():
            self._carry_down(datagram)
        self._arm(MASTER_PLACE, net.master.timer)

    def _turn_node(self, place: int, data: bytes | None, source: Address) -> None:
        node, now = self.nodes[place], self.net.now
        if data is not None:
            node.listener.receive(Received(data, source, now, self.net.now_us))
        node.settle(now)
        timer = node.listener.timer
        if timer is not None and timer <= now:
            node.listener.handle_timer(now, self.net.now_us)
            node.settle(now)
        for datagram in node.listener.datagrams_to_send():
            self.said[read_kind(datagram.data)] += 1
            if place not in self.cut:
                self._fly(MASTER_PLACE, datagram.data, node.address)
        if (timer := node.listener.timer) is not None:
            self._arm(place, timer)

    def _carry_down(self, datagram: Datagram) -> None:
        self.said[read_kind(datagram.data)] += 1
        if len(self._recorded) < 1000:
            self._recorded.append(datagram.data)
        if isinstance(datagram.to, Audience):
            if datagram.to not in (Audience.ALL, Audience.SHARED):
                return
            for place in range(len(self.nodes)):
                self._down(place, datagram.data)
        elif datagram.to in self.places:
            self._down(self.places[datagram.to], datagram.data)

    def _down(self, place: int, data: bytes) -> None:
        if place not in self.cut:
            self._fly(place, data, MASTER)

    def _fly(self, place: int, data: bytes, source: Address) -> None:
        self.datagrams += 1
        for _ in range(1 + (self.chance.random() < self.luck.doubled)):
            if self.chance.random() >= self.luck.loss:
                self._push(self.net.now + 1e-4 + self.chance.random() * self.luck.delay, place, data, source)

    def _push(self, at: float, place: int, data: bytes | None, source: Address) -> None:
        self._order += 1
        heapq.heappush(self._heap, (at, self._order, place, data, source))

    def _arm(self, place: int, timer: float) -> None:
        """One look at the machine when its timer is due; a look that comes too early changes nothing."""
        armed = self._armed.get(place)
        if armed is None or timer < armed or armed <= self.net.now:
            self._armed[place] = timer
            self._push(timer, place, None, MASTER)
