"""The master's machine: numbers and signs messages, sends them, beacons, repairs, solicits, and collects receipts.

Theory of operation
- `compose` gives a message its number and signature; the shell commits it; `publish` sends it (or `withdraw` takes the
  number back where the commit failed). Sealing is done at sending, so a repair is sealed under the epoch of the day.
- Beacons follow a start, and a message until all receipts are in, at 10, 20, 40 … ms; else they come every second.
- A node that was heard lately and whose receipt lacks after the window and a learnt time-out is solicited by bitmap.
- Repair requests are gathered for a few ms; what several lack goes to all, the rest to the one that asks.
- What a node may do (join, count as present) is decided in admission.py and roster.py.

Left out: fragments, skips, targets and catch-up over TCP (PROTOCOL.md, "Reserved").
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from netcrier.core.admission import Admission, GroupKeys
from netcrier.core.delivery import Delivery, Receipt, State
from netcrier.core.events import (
    Address,
    Completed,
    Datagram,
    Enrolling,
    MasterEvent,
    NodeChanged,
    NodeRow,
    ReceiptsIn,
    Received,
)
from netcrier.core.outbox import OutLane
from netcrier.core.pacing import (
    BEACON_IDLE,
    GATHER,
    GATHER_NEXT,
    DelayMeter,
    beacon_delay,
    receipt_slot,
    receipt_window,
)
from netcrier.core.replay import CounterWindow
from netcrier.core.roster import Node, Roster
from netcrier.errors import DecodeError, UsageError
from netcrier.ids import GroupId, MessageId
from netcrier.wire import signed
from netcrier.wire.beacon import Beacon, Marks, encode_beacon
from netcrier.wire.envelope import AgreementKey, Digest, Signer, master_id
from netcrier.wire.header import UP_SIZE, read_front, read_up, seal_down, up_key
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import BODY_MAX, REPAIRS_MAX, REPAIRS_PER_ROUND
from netcrier.wire.message import Message, encode_message
from netcrier.wire.report import LaneReport, decode_report, decode_request
from netcrier.wire.signed import Head
from netcrier.wire.solicit import Solicit, bitmaps, encode_solicit

_BEACONS_REMEMBERED = 64
_BEACONS_AT_BOOT = 7  # 10, 20 … 640 ms: the nodes learn a new boot at once
_DELIVERIES_REMEMBERED = 10_000
_CALLS_AFTER_BOOT = 6
_T = TypeVar("_T")


class Shelf(Protocol):
    """Where signed messages are kept."""

    def signed_message(self, identity: MessageId) -> bytes | None:
        """The signed plaintext, or None where it is no longer kept."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The master's keys and numbers. `boot` is committed before the first datagram of this run."""

    group: GroupId
    group_name: str
    signer: Signer
    agreement: AgreementKey
    term: int
    boot: int
    port: int


@dataclass(frozen=True, slots=True)
class Composed:
    """A message with its number, signed, to be committed before `publish`."""

    id: MessageId
    plaintext: bytes
    digest: Digest
    chain: Digest
    expected: tuple[int, ...]
    sent_us: int


class Speaker:
    """See the module. `entropy(n)` gives n random bytes."""

    def __init__(
        self, me: Identity, keys: GroupKeys, lanes: Iterable[OutLane], shelf: Shelf, entropy: Callable[[int], bytes]
    ) -> None:
        self.me = me
        self.id = master_id(me.signer.public)
        self.roster = Roster()
        self.refused: Counter[str] = Counter()
        self.lanes = {lane.lane: lane for lane in lanes}
        self.deliveries: dict[MessageId, Delivery] = {}
        self.addresses: tuple[str, ...] = ()
        self.admission = Admission(me.group, me.group_name, me.signer, me.agreement, keys, self.roster, entropy)
        self._shelf = shelf
        self._counter = 0
        self._meter = DelayMeter()
        self._events: deque[MasterEvent] = deque()
        self._out: list[Datagram] = []
        self._beacon_at = 0.0
        self._beacons, self._booting = 0, True
        self._beacon_times: dict[int, float] = {}
        self._open: dict[MessageId, Delivery] = {}
        self._complete_ids: set[MessageId] = set()
        self.repaired = 0
        self._wanted: dict[MessageId, set[int]] = {}
        self._gather_at: float | None = None
        self._solicit_at: float | None = None
        self._readers: dict[Kind, Callable[[Received], None]] = {
            Kind.HELLO: self._on_hello,
            Kind.REPORT: self._on_report,
            Kind.REQUEST: self._on_request,
        }

    # What the shell calls

    @property
    def window(self) -> float:
        """The receipt window of a message sent now, seconds."""
        return receipt_window(len(self.roster.members()))

    def compose(self, lane: int, body: bytes, now_us: int) -> Composed:
        """Number and sign a message; UsageError where it does not fit one datagram."""
        if len(body) > BODY_MAX:
            raise UsageError(f"the message has {len(body)} bytes; one datagram carries {BODY_MAX}")
        out = self.lanes[lane]
        message = Message(self._head(), lane, out.highest + 1, int(self.window * 1e6), now_us, body)
        plaintext = signed.signed(Kind.MESSAGE, self.me.group, encode_message(message), self.me.signer)
        digest = signed.content_digest(Kind.MESSAGE, self.me.group, plaintext)
        out.append(digest)
        return Composed(message.id, plaintext, digest, out.chains[-1], tuple(self.roster.members()), now_us)

    def withdraw(self, composed: Composed) -> None:
        """The commit failed: the number is free again."""
        assert self.lanes[composed.id.lane].highest == composed.id.sequence
        self.lanes[composed.id.lane].withdraw()

    def publish(self, composed: Composed, now: float) -> None:
        """Send what is committed."""
        self._track(Delivery(composed.id, composed.expected, now))
        self._out.append(Datagram(self._seal(Kind.MESSAGE, composed.plaintext), None))
        self._beacons = 0
        self._beacon_at = now + beacon_delay(0)
        self._solicit_soon(now + self.window + self._meter.timeout)

    def restore(self, delivery: Delivery, now: float) -> None:
        """A message of an earlier run, from the store."""
        self._track(delivery)
        self._solicit_soon(now + BEACON_IDLE)

    def enlist(self, row: NodeRow) -> None:
        """A node from the store, or one whose row has changed."""
        known = self.roster.get(row.id)
        if known:
            known.row = row
        else:
            self.roster.put(Node(row, self.me.agreement.agree(row.public)))

    def admit(self, enrolling: Enrolling) -> None:
        """The row is committed: the node may know."""
        self.enlist(enrolling.row)
        self.admission.settled(enrolling.row.id)
        self._out.append(enrolling.welcome)

    def forget(self, node: Node) -> None:
        """Expect nothing more from this node."""
        self.roster.remove(node)
        for delivery in self.deliveries.values():
            delivery.forget(node.row.index)
        self._complete(list(self._open))

    def receive(self, got: Received) -> None:
        """One datagram from the network."""
        try:
            front = read_front(got.data)
            reader = self._readers.get(front.kind)
            if reader is None:
                raise DecodeError("not for a master")
            if front.group != self.me.group:
                raise DecodeError("other group")
            reader(got)
        except DecodeError as error:
            self.refused[error.reason] += 1

    def next_event(self) -> MasterEvent | None:
        """What the shell has to keep or tell, in order."""
        return self._events.popleft() if self._events else None

    def datagrams_to_send(self) -> list[Datagram]:
        """And forgets them."""
        out, self._out = self._out, []
        return out

    @property
    def timer(self) -> float:
        """When `handle_timer` has something to do."""
        return min(at for at in (self._beacon_at, self._gather_at, self._solicit_at) if at is not None)

    def handle_timer(self, now: float, now_us: int) -> None:
        """Say what is due."""
        if self._beacon_at <= now:
            self._say_beacon(now, now_us)
        if self._gather_at is not None and self._gather_at <= now:
            self._repeat(now)
        if self._solicit_at is not None and self._solicit_at <= now:
            self._solicit(now)

    # What the network brings

    def _on_hello(self, got: Received) -> None:
        spans = tuple(self.lanes.values())
        event = self.admission.hello(got.data, got.source, got.now, got.now_us, (self.me.term, self.me.boot), spans)
        self._events.append(event)

    def _on_report(self, got: Received) -> None:
        node, report = self._from_node(got.data, decode_report)
        self._fresh(node, report.counter, got.source, got.now, got.now_us)
        sent = self._beacon_times.get(report.beacon_counter)
        if sent is not None:
            node.rtt = max(0.0, got.now - sent - report.held_us / 1e6)
        node.drops = report.drops
        receipts = [receipt for lane in report.lanes for receipt in self._lane_report(node, lane, got.now)]
        if receipts:
            self._learn(node, receipts)
            self._events.append(ReceiptsIn(tuple(receipts)))
            self._complete(dict.fromkeys(receipt.message for receipt in receipts))

    def _on_request(self, got: Received) -> None:
        node, request = self._from_node(got.data, decode_request)
        self._fresh(node, request.counter, got.source, got.now, got.now_us)
        lane = self.lanes.get(request.lane)
        if lane is None or request.term != self.me.term:
            raise DecodeError("other term")
        for first, count in request.ranges:
            for sequence in range(max(first, lane.lowest), min(first + count, lane.highest + 1)):
                identity = MessageId(request.term, request.lane, sequence)
                if identity not in self._wanted and len(self._wanted) >= REPAIRS_MAX:
                    raise DecodeError("too many repairs")
                self._wanted.setdefault(identity, set()).add(node.row.index)
        if self._wanted and self._gather_at is None:
            self._gather_at = got.now + GATHER

    # How it decides

    def _from_node(self, data: bytes, decode: Callable[[bytes], _T]) -> tuple[Node, _T]:
        """The approved node that sealed this, and what it says."""
        header = read_up(data)
        node = self.roster.get(header.node)
        if node is None or not node.row.approved:
            raise DecodeError("unknown node")
        if header.boot < node.row.boot:
            raise DecodeError("old boot")
        key = node.keys.get(header.kind) if header.boot == node.row.boot else None
        if key is None:
            boots = (self.me.term, self.me.boot, header.boot)
            key = up_key(node.shared, header.kind, self.me.group, self.id, boots, header.node)
        content = decode(key.open(data, UP_SIZE))
        if header.boot > node.row.boot:
            node.row = replace(node.row, boot=header.boot)
            node.counters = CounterWindow()
            node.keys.clear()
            self._events.append(NodeChanged(node.row))
        node.keys[header.kind] = key
        return node, content

    def _fresh(self, node: Node, counter: int, address: Address, now: float, now_us: int) -> None:
        """Refuse what is replayed; take note of where and when the node spoke."""
        if not node.counters.accept(counter):
            raise DecodeError("replayed")
        if node.address != address:
            node.address = address
            node.row = replace(node.row, address=address[0], seen_us=now_us)
            self._events.append(NodeChanged(node.row))
        node.row = replace(node.row, seen_us=now_us)
        node.heard_at, node.solicited, node.solicit_at = now, 0, 0.0

    def _lane_report(self, node: Node, report: LaneReport, now: float) -> list[Receipt]:
        lane = self.lanes.get(report.lane)
        if lane is None or report.term != self.me.term:
            self.refused["other term"] += 1
            return []
        chain = lane.chain_at(report.received)
        if chain is None:
            self.refused["number not in this store"] += 1
            return []
        if chain != report.chain:
            self.refused["chain mismatch"] += 1
            return []
        before = node.lanes.get(report.lane)
        if before and report.received < before.received:
            self.refused["rolled back"] += 1
        node.lanes[report.lane] = report
        steps = [(sequence, State.RECEIVED) for sequence, digest in report.extras if lane.digest_at(sequence) == digest]
        open_numbers = [
            id_.sequence for id_ in self._open if id_.lane == report.lane and id_.sequence <= report.received
        ]
        for sequence in open_numbers:
            steps.append((sequence, State.DELIVERED if sequence <= report.delivered else State.RECEIVED))
        moves = (self._move(MessageId(self.me.term, report.lane, at), node, state, now) for at, state in steps)
        return [receipt for receipt in moves if receipt]

    def _move(self, identity: MessageId, node: Node, state: State, now: float) -> Receipt | None:
        delivery = self._open.get(identity)
        return delivery.move(node.row.index, state, now) if delivery else None

    def _learn(self, node: Node, receipts: list[Receipt]) -> None:
        newest = receipts[-1]
        if not node.solicited:
            slot = receipt_slot(node.row.id, newest.message.sequence, self.window)
            self._meter.observe(max(0.0, min(newest.after - slot, 1.0)))

    def _complete(self, touched: Iterable[MessageId]) -> None:
        """Say which of these messages every expected node has."""
        for identity in touched:
            delivery = self._open[identity]
            if not delivery.outstanding and identity not in self._complete_ids:
                self._complete_ids.add(identity)
                self._events.append(Completed(identity, delivery.expected, delivery.last))
            if not delivery.undelivered:
                del self._open[identity]
                self._complete_ids.discard(identity)

    def _track(self, delivery: Delivery) -> None:
        self.deliveries[delivery.message] = delivery
        if delivery.undelivered:
            self._open[delivery.message] = delivery
            if not delivery.outstanding:
                self._complete_ids.add(delivery.message)
        while len(self.deliveries) > _DELIVERIES_REMEMBERED:
            oldest = next(iter(self.deliveries))
            del self.deliveries[oldest]
            self._open.pop(oldest, None)
            self._complete_ids.discard(oldest)

    # What it says

    def _head(self) -> Head:
        self._counter += 1
        return Head(self.id, self.me.term, self.me.boot, self._counter)

    def _seal(self, kind: Kind, plaintext: bytes) -> bytes:
        keys = self.admission.keys
        return seal_down(kind, self.me.group, keys.epoch, keys.seal, plaintext)

    def _say_beacon(self, now: float, now_us: int) -> None:
        me, keys, head = self.me, self.admission.keys, self._head()
        beacon = Beacon(
            me.group, keys.epoch, me.signer.public, me.agreement.public,
            me.term, me.boot, head.counter, keys.open, me.port, self.addresses,
        )  # fmt: skip
        presence = int(self.roster.presence * 1000)
        spans = tuple(lane.span() for lane in self.lanes.values())
        marks = Marks(spans, int(self.window * 1e6), presence, now_us, me.group_name)
        self._out.append(Datagram(encode_beacon(beacon, marks, keys.seal, me.signer), None))
        self._beacon_times[head.counter] = now
        if len(self._beacon_times) > _BEACONS_REMEMBERED:
            del self._beacon_times[next(iter(self._beacon_times))]
        self._beacons += 1
        awaited = any(delivery.outstanding for delivery in self._open.values())
        self._beacon_at = now + (beacon_delay(self._beacons) if awaited or self._booting else BEACON_IDLE)
        self._booting &= self._beacons < _BEACONS_AT_BOOT

    def _repeat(self, now: float) -> None:
        for identity in list(self._wanted)[:REPAIRS_PER_ROUND]:
            indexes = self._wanted.pop(identity)
            plaintext = self._shelf.signed_message(identity)
            if plaintext is None:
                self.refused["no longer kept"] += 1
                continue
            node = self.roster.at(next(iter(indexes)))
            to = node.address if node and len(indexes) == 1 else None
            self._out.append(Datagram(self._seal(Kind.MESSAGE, plaintext), to))
            self.repaired += 1
        self._gather_at = now + GATHER_NEXT if self._wanted else None

    def _solicit_soon(self, at: float) -> None:
        if self._solicit_at is None or at < self._solicit_at:
            self._solicit_at = at

    def _solicit(self, now: float) -> None:
        """Ask the nodes whose receipt is overdue; one that stays silent is asked ever more rarely."""
        timeout = self._meter.timeout
        asked: dict[int, set[int]] = {}
        highest: dict[int, int] = {}
        later: list[float] = []
        for identity, delivery in self._open.items():
            due = delivery.sent_at + self.window + timeout
            for index in delivery.outstanding:
                node = self.roster.at(index)
                if node is None or not self._worth_asking(node, now):
                    continue
                at = max(due, node.solicit_at)
                if at > now:
                    later.append(at)
                    continue
                asked.setdefault(identity.lane, set()).add(index)
                highest[identity.lane] = max(identity.sequence, highest.get(identity.lane, 0))
        for lane, indexes in asked.items():
            self._say_solicit(lane, highest[lane], indexes)
            for index in indexes:
                node = self.roster.at(index)
                assert node
                node.solicit_at = now + (self.window + timeout) * (1 << min(node.solicited, 6))
                node.solicited += 1
                later.append(node.solicit_at)
        self._solicit_at = min(later, default=None)

    def _worth_asking(self, node: Node, now: float) -> bool:
        """Whether the node is here, or may have been here before this boot."""
        return self.roster.here(node, now) or (node.heard_at is None and node.solicited < _CALLS_AFTER_BOOT)

    def _say_solicit(self, lane: int, sequence: int, indexes: set[int]) -> None:
        alone = self.roster.at(next(iter(indexes))) if len(indexes) == 1 else None
        for first, bitmap in bitmaps(indexes):
            content = encode_solicit(Solicit(self._head(), lane, sequence, int(self.window * 1e6), first, bitmap))
            plaintext = signed.signed(Kind.SOLICIT, self.me.group, content, self.me.signer)
            self._out.append(Datagram(self._seal(Kind.SOLICIT, plaintext), alone.address if alone else None))
