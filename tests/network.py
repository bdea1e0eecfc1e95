"""An in-memory network: one master's machine and many nodes' machines, invented time, loss from a seed.

Every step that a shell makes durable is made at once here; `Network.start_master` and `Node.start` make a machine anew
from what was kept.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec.structs import replace
from netcrier.core.delivery import Delivery, Receipt
from netcrier.core.events import (
    Address,
    Audience,
    CatchUpWanted,
    Completed,
    Datagram,
    Enrolling,
    KeysDue,
    MasterEvent,
    NodeChanged,
    NodeRow,
    ReceiptsIn,
    Received,
    Waiting,
)
from netcrier.core.master.composer import Composed
from netcrier.core.master.conditions import Condition
from netcrier.core.master.keyring import GroupKeys, Keyring
from netcrier.core.master.outbox import OutLane
from netcrier.core.master.speaker import Speaker
from netcrier.core.master.voice import Identity
from netcrier.core.parity import Parity
from netcrier.core.questions import Over, Reply
from netcrier.ids import LANES, GroupId, MessageId
from netcrier.wire.catch_up import Frames
from netcrier.wire.envelope import AgreementKey, Signer
from netcrier.wire.header import read_front
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import KEY_DATAGRAMS_MAX

from tests.network_node import Node

MASTER: Address = ("10.0.0.1", 12346)
GROUP = GroupId(b"groupgrp")
EPOCH_US = 1_700_000_000_000_000


@dataclass
class Shelf:
    """A store in memory."""

    kept: dict[MessageId, bytes] = field(default_factory=dict)
    bodies: dict[MessageId, bytes] = field(default_factory=dict)

    def signed_message(self, identity: MessageId) -> bytes | None:
        return self.kept.get(identity)

    def body(self, identity: MessageId) -> bytes | None:
        return self.bodies.get(identity)


class Network:
    """Carries datagrams with a delay of 100 µs; `lose` decides for each (data, to master) whether it is lost."""

    def __init__(
        self,
        nodes: int,
        seed: int,
        loss: float = 0.0,
        is_open: bool = True,
        group: GroupId = GROUP,
        parity: tuple[Parity | None, Parity | None] = (None, None),
    ) -> None:
        """`parity`: the master's, and that of every second node."""
        self.group, self.parity = group, parity
        self.key_limit = KEY_DATAGRAMS_MAX
        self.chance = random.Random(seed)
        self.lose: Callable[[bytes, bool], bool] = lambda _data, _up: self.chance.random() < loss
        self.now = 100.0
        self.no_tcp = False
        self.tcp_delay = 0.0
        """Seconds until a connection is there."""
        self.connections = 0
        self.shelf = Shelf()
        self.rows: dict[bytes, NodeRow] = {}
        self.receipts: list[Receipt] = []
        self.completed: list[Completed] = []
        self.waiting: list[NodeRow] = []
        self.events: list[MasterEvent] = []
        self.signer = Signer(self.chance.randbytes(32))
        self.agreement = AgreementKey(self.chance.randbytes(32))
        self.conditions: dict[MessageId, Condition] = {}
        self.keys = GroupKeys(1, self.chance.randbytes(32), is_open)
        self.term, self.boot = 1, 0
        self.lanes = [OutLane(lane) for lane in LANES]
        self.past: dict[int, list[OutLane]] = {}
        self.unknown: list[tuple[int, int, int]] = []
        self.start_master()
        self.nodes = [Node(number, self.chance, parity[1] if number % 2 else None) for number in range(nodes)]
        self.sent: list[bytes] = []
        self.risen: list[bytes] = []
        self.unreached: list[Node] = []
        """Nodes that no shared carrier reaches."""
        self.single: set[Address] = set()
        """Where the shell sends one by one."""
        self._flights: list[tuple[float, int, bytes, Address, Node | None]] = []
        self._order = 0
        self._calls: list[tuple[float, Node, CatchUpWanted]] = []
        """Connections that are being made."""

    def start_master(self) -> None:
        """Start, or start again from what is on the disk."""
        self.boot += 1
        me = Identity(self.group, "lab", self.signer, self.agreement, self.term, self.boot, 12346)
        keyring = Keyring(self.keys, self.key_limit)
        self.master = Speaker(
            me, keyring, self.lanes, self.shelf, self.chance.randbytes, self.parity[0],
            past=self.past, unknown=self.unknown,
        )  # fmt: skip
        for row in self.rows.values():
            self.master.enlist(row)
        for identity, condition in self.conditions.items():
            self.master.conditions.put(identity, condition, self.now, self.now_us)

    def begin_term(self, term: int) -> None:
        """Another master takes over with all that this one has."""
        before = list(self.master.deliveries)
        self.past[self.term] = self.lanes
        self.term, self.lanes = term, [OutLane(lane) for lane in LANES]
        self.start_master()
        for old in before:
            self.master.restore(Delivery(old.message, old.states, old.sent_at, dict(old.states)), self.now)

    @property
    def now_us(self) -> int:
        return EPOCH_US + int(self.now * 1e6)

    def broadcast(self, body: bytes, lane: int = 0, to: str = "", ttl_ms: int = 0) -> Composed:
        """Compose, commit, publish."""
        composed = self.master.compose(lane, body, self.now_us, to, ttl_ms)
        if composed.condition:
            self.conditions[composed.id] = composed.condition
        self.shelf.kept[composed.id] = composed.plaintext
        if composed.body:
            self.shelf.bodies[composed.id] = composed.body
        self.master.publish(composed, self.now)
        return composed

    def forget(self, message: MessageId) -> None:
        """The store has it no more."""
        self.shelf.kept.pop(message, None)
        self.shelf.bodies.pop(message, None)
        self.conditions.pop(message, None)

    def take_keys(self, keys: GroupKeys) -> None:
        """Commit, and let them hold."""
        self.keys = keys
        self.master.take_keys(keys, self.now)

    def rotate(self) -> None:
        """Announce another key."""
        self.take_keys(self.master.keyring.announced(self.chance.randbytes(32)))

    def revoke(self, node: Node) -> None:
        """Commit row and key, and let them hold."""
        row = replace(self.rows[node.listener.id], trust="revoked", approved=False)
        self.keys = self.master.keyring.replaced(self.chance.randbytes(32), self.now_us)
        self.rows[row.id] = row
        self.master.revoke(row, self.keys, self.now)

    def inject(self, data: bytes, to: Node | None, source: Address = ("10.9.9.9", 4444)) -> None:
        """An attacker's datagram, to a node or (None) to the master."""
        self._order += 1
        self._flights.append((self.now, self._order, data, source, to))

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Let time pass, or until a condition holds."""
        end = self.now + seconds
        self._pump()
        before, turns = self.now, 0
        while self.now < end and not until():
            before, turns = self.now, turns + 1 if self.now == before else 0
            assert turns < 1000, "a machine is due and does nothing"
            times = [self.master.timer, end, *(flight[0] for flight in self._flights)]
            times += [at for at, _, _ in self._calls]
            times += [node.listener.timer for node in self.nodes if node.listener.timer is not None]
            self.now = max(self.now, min(times))
            self._pump()

    def _pump(self) -> None:
        due = sorted(flight for flight in self._flights if flight[0] <= self.now)
        self._flights = [flight for flight in self._flights if flight[0] > self.now]
        for _, _, data, source, node in due:
            got = Received(data, source, self.now, self.now_us)
            if node is None:
                self.master.receive(got)
            else:
                node.listener.receive(got)
        if self.master.timer <= self.now:
            self.master.handle_timer(self.now, self.now_us)
        self._settle_master()
        for datagram in self.master.datagrams_to_send():
            self._carry_down(datagram)
        for node in self.nodes:
            node.settle(self.now)
            self._connect(node)
            if node.listener.timer is not None and node.listener.timer <= self.now:
                node.listener.handle_timer(self.now, self.now_us)
            for datagram in node.listener.datagrams_to_send():
                self.risen.append(datagram.data)
                if not self.lose(datagram.data, True):
                    self._order += 1
                    self._flights.append((self.now + 1e-4, self._order, datagram.data, node.address, None))

    def _connect(self, node: Node) -> None:
        """Catch-up: a connection that loses nothing, or, with `no_tcp`, is never made."""
        self._calls += [(self.now + self.tcp_delay, node, wanted) for wanted in node.wanted]
        node.wanted.clear()
        for call in [call for call in self._calls if call[0] <= self.now and call[1] is node]:
            self._calls.remove(call)
            wanted, before = call[2], node.listener.received
            if not self.no_tcp:
                self.connections += 1
                _, frames = self.master.catch_up(Received(wanted.ask, node.address, self.now, self.now_us))
                for data in (datagram for one in frames for datagram in Frames().feed(one)):
                    node.listener.receive(Received(data, MASTER, self.now, self.now_us))
                    node.settle(self.now)
            node.listener.caught_up(self.now, progressed=node.listener.received > before)

    @property
    def calling(self) -> bool:
        """Whether a connection is being made."""
        return bool(self._calls)

    def _carry_down(self, datagram: Datagram) -> None:
        if datagram.to is Audience.MASTERS:
            return  # there is one
        self.sent.append(datagram.data)
        for node in self.nodes:
            if self._is_for(node, datagram.to) and not self.lose(datagram.data, False):
                self._order += 1
                self._flights.append((self.now + 1e-4, self._order, datagram.data, MASTER, node))

    def _is_for(self, node: Node, to: Address | Audience) -> bool:
        if isinstance(to, Audience):
            shared = to in (Audience.ALL, Audience.SHARED) and node not in self.unreached
            return shared or (
                to is not Audience.SHARED and node.address in {*self.single, *self.master.herald.reach.targets}
            )
        return to == node.address

    @property
    def replies(self) -> list[Reply]:
        """Whole answers to questions, in order."""
        return [event for event in self.events if isinstance(event, Reply)]

    @property
    def over(self) -> list[Over]:
        """Questions that have ended."""
        return [event for event in self.events if isinstance(event, Over)]

    def _settle_master(self) -> None:
        while (event := self.master.next_event()) is not None:
            self.events.append(event)
            match event:
                case Enrolling():
                    self.rows[event.row.id] = event.row
                    self.master.admit(event)
                case Waiting():
                    self.waiting.append(event.row)
                    self.master.enlist(event.row)
                    self.master.admission.settled(event.row.id)
                case NodeChanged():
                    self.rows[event.row.id] = event.row
                case ReceiptsIn():
                    self.receipts += event.receipts
                    if event.heard:
                        self.master.heard([event.heard])
                case Completed():
                    self.completed.append(event)
                case KeysDue():
                    keys = self.master.keys_due(self.now, self.now_us)
                    if keys:
                        self.take_keys(keys)


def enrolled(nodes: int, seed: int, loss: float = 0.0) -> Network:
    """A network whose nodes take part."""
    net = Network(nodes, seed, loss)
    net.run(30, until=lambda: len(net.master.roster) == nodes and all(n.listener.enrolled for n in net.nodes))
    assert all(node.listener.enrolled for node in net.nodes), f"seed {seed}"
    return net


def no_messages(data: bytes, up: bool) -> bool:
    """Loses every MESSAGE."""
    return not up and read_front(data).kind is Kind.MESSAGE


def nothing(data: bytes, up: bool) -> bool:
    """Loses nothing."""
    return False
