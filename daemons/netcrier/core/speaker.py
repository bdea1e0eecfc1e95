"""The master's machine: numbers and signs messages, sends them, beacons, repairs, solicits, and collects receipts.

Theory of operation
- `compose` gives a message its number and signature; the shell commits it; `publish` sends it (or `withdraw` takes the
  number back where the commit failed). Sealing is done at sending, so a repair is sealed under the epoch of the day.
- When and to whom is decided next door: beacon_clock.py, repeats.py, solicitor.py; who may join, in admission.py; what
  became of each message, in deliveries.py.

What a node does not get, in conditions.py; what reports say, in told.py.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from netcrier.core.admission import Admission
from netcrier.core.audit import Audit
from netcrier.core.beacon_clock import BeaconClock
from netcrier.core.conditions import Condition, Conditions, Run
from netcrier.core.cutting import Cut
from netcrier.core.deliveries import Deliveries
from netcrier.core.delivery import Delivery, Receipt, State
from netcrier.core.events import (
    Address,
    Audience,
    Datagram,
    Enrolling,
    KeysDue,
    MasterEvent,
    NodeChanged,
    NodeRow,
    ReceiptsIn,
    Received,
)
from netcrier.core.keyring import GroupKeys, Keyring
from netcrier.core.neighbours import Neighbours
from netcrier.core.outbox import OutLane
from netcrier.core.pacing import BEACON_IDLE, FETCHING, few, receipt_window
from netcrier.core.parity import Parity
from netcrier.core.questions import QuestionId, Questions
from netcrier.core.rate import Rate
from netcrier.core.reach import Reach
from netcrier.core.rekeying import Rekeying
from netcrier.core.repeats import Repeats
from netcrier.core.replay import CounterWindow
from netcrier.core.roster import Node, Roster
from netcrier.core.solicitor import Solicitor
from netcrier.core.standing import StandingChanged
from netcrier.core.tenure import Tenure
from netcrier.core.told import Teller, trusted
from netcrier.core.transfer import Transfers
from netcrier.core.twins import OLD_BOOT, Twins
from netcrier.errors import DecodeError, NotFoundError, UsageError
from netcrier.ids import GroupId, MessageId
from netcrier.wire import signed
from netcrier.wire.beacon import Beacon, Marks, encode_beacon
from netcrier.wire.catch_up import CatchUp, decode_catch_up, frame
from netcrier.wire.envelope import KEY_SIZE, AgreementKey, Digest, SealKey, Signer, master_id
from netcrier.wire.fetch import decode_fetch
from netcrier.wire.header import UP_SIZE, UpHeader, read_front, read_up, seal_down, up_key
from netcrier.wire.heard import Entry, Heard, encode_heard
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import BODY_MAX, HEARD_MAX, MESSAGE_MAX, QUESTION_BODY_MAX, SKIPS_PER_REQUEST
from netcrier.wire.message import ROOM, Message, encode_message
from netcrier.wire.question import Question, decode_answer, encode_question
from netcrier.wire.rekey import decode_renew
from netcrier.wire.report import LaneReport, decode_report, decode_request
from netcrier.wire.selector import facts_of, parse_selector
from netcrier.wire.signed import Head
from netcrier.wire.skip import ANY_NODE, Cause, Skip, encode_skip
from netcrier.wire.solicit import Solicit, bitmaps, encode_solicit

_T = TypeVar("_T")
_ALWAYS = frozenset({Kind.BEACON, Kind.TALLY})
"""What is read also while the master does not speak."""


class Shelf(Protocol):
    """Where signed messages are kept."""

    def signed_message(self, identity: MessageId) -> bytes | None:
        """The signed plaintext, or None where it is no longer kept."""

    def body(self, identity: MessageId) -> bytes | None:
        """The body of a message in blocks."""


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
    size: int = 0
    """Bytes of the body."""
    selector: str = ""
    condition: Condition | None = None
    body: bytes = b""
    """Where it goes in blocks: the plaintext does not have it then."""


class Speaker:
    """See the module. `entropy(n)` gives n random bytes."""

    def __init__(
        self,
        me: Identity,
        keyring: Keyring,
        lanes: Iterable[OutLane],
        shelf: Shelf,
        entropy: Callable[[int], bytes],
        parity: Parity | None = None,
        *,
        listen: bool = False,
        recovering: bool = False,
    ) -> None:
        self.me = me
        self.id = master_id(me.signer.public)
        self.roster = Roster()
        self.refused: Counter[str] = Counter()
        self.lanes = {lane.lane: lane for lane in lanes}
        highest = {lane.lane: lane.highest for lane in self.lanes.values()}
        self.tenure = Tenure(me.term, me.boot, highest, listen=listen, recovering=recovering)
        self.neighbours = Neighbours()
        self.deliveries = Deliveries()
        self.conditions = Conditions()
        self._teller = Teller(self.deliveries, me.term)
        self.repaired = 0
        self.caught_up = 0
        """Messages sent to nodes that lagged far, over TCP."""
        self.addresses: tuple[str, ...] = ()
        """Where nodes may answer: the shell says so, whenever it changes."""
        self.serves_single = False
        """Whether some node is served one by one, on the shell's word."""
        self.keyring = keyring
        self.admission = Admission(me.group, me.group_name, me.signer, me.agreement, keyring, self.roster, entropy)
        self.rekeying = Rekeying(me.group, me.signer, me.agreement, keyring, entropy)
        self._twins = Twins(self.roster, self._up_key)
        self._entropy = entropy
        self._epoch_from = 0
        """The counter after which every beacon of this run was sealed under the current epoch."""
        self._shelf = shelf
        self._counter = 0
        self._told_masters = -BEACON_IDLE
        self._events: deque[MasterEvent] = deque()
        self._out: list[Datagram] = []
        self._inquiries: list[Datagram] = []
        self._beacons = BeaconClock()
        self.reach = Reach(self.roster, self._beacons)
        self._audit = Audit(me, self.id, self.roster)
        self._repeats = Repeats()
        self._transfers = Transfers(shelf, self.deliveries, parity)
        self._solicitor = Solicitor(self.roster, self.deliveries)
        self._questions = Questions()
        self._readers: dict[Kind, Callable[[Received], None]] = {
            Kind.HELLO: self._on_hello,
            Kind.REPORT: self._on_report,
            Kind.REQUEST: self._on_request,
            Kind.RENEW: self._on_renew,
            Kind.ANSWER: self._on_answer,
            Kind.FETCH: self._on_fetch,
            Kind.BEACON: self._on_beacon,
            Kind.TALLY: self._on_tally,
        }

    # What the shell calls

    @property
    def window(self) -> float:
        """The receipt window of a message sent now, seconds."""
        return receipt_window(len(self.roster.members()))

    @property
    def pieces_repaired(self) -> int:
        """Blocks, fragments and parity sent because nodes lacked something."""
        return self._transfers.repaired

    @property
    def rate(self) -> Rate:
        """How fast messages in blocks are sent."""
        return self._transfers.rate

    def compose(self, lane: int, body: bytes, now_us: int, selector: str = "", ttl_ms: int = 0) -> Composed:
        """Number and sign a message for the nodes of `selector`, for `ttl_ms` (0: without end).

        UsageError where it is longer than MESSAGE_MAX, is no selector, or the master does not speak; NotFoundError
        where no node matches.
        """
        self.tenure.require()
        if len(body) > MESSAGE_MAX:
            raise UsageError(f"the message has {len(body):,} bytes; the limit is {MESSAGE_MAX:,} bytes (1 MiB)")
        in_blocks = len(body) > BODY_MAX
        if not in_blocks and len(body) + len(selector.encode()) > ROOM:
            raise UsageError(f"message and selector have more than {ROOM} bytes together: shorten the selector")
        expected = self.expected(selector)
        out = self.lanes[lane]
        window_us = int(self.window * 1e6)
        message = Message(self._head(), lane, out.highest + 1, window_us, now_us, body, ttl_ms, selector)
        if in_blocks:
            message = replace(message, body=b"", size=len(body), blocks=Cut(body).digests)
        plaintext = signed.signed(Kind.MESSAGE, self.me.group, encode_message(message), self.me.signer)
        digest = signed.content_digest(Kind.MESSAGE, self.me.group, plaintext)
        out.append(digest)
        until_us = now_us + ttl_ms * 1000 if ttl_ms else None
        condition = Condition(frozenset(expected) if selector else None, until_us) if selector or ttl_ms else None
        apart, size, chain = body if in_blocks else b"", len(body), out.chains[-1]
        return Composed(message.id, plaintext, digest, chain, expected, now_us, size, selector, condition, apart)

    def expected(self, selector: str) -> tuple[int, ...]:
        """The nodes that a message with this selector is for; UsageError, NotFoundError as `compose`."""
        members = self.roster.members()
        if not selector:
            return members
        chosen = parse_selector(selector)
        rows = [node.row for node in map(self.roster.at, members) if node]
        found = tuple(row.index for row in rows if chosen.holds(facts_of(row.name, row.tags)))
        if not found:
            raise NotFoundError(f"no node matches {selector!r}; netctl nodes lists them with their tags")
        return found

    def withdraw(self, composed: Composed) -> None:
        """The commit failed: the number is free again."""
        assert self.lanes[composed.id.lane].highest == composed.id.sequence
        self.lanes[composed.id.lane].withdraw()

    def publish(self, composed: Composed, now: float) -> None:
        """Send what is committed."""
        delivery = Delivery(composed.id, composed.expected, now)
        self.deliveries.track(delivery)
        if composed.condition:
            self.conditions.put(composed.id, composed.condition, now, composed.sent_us)
        if composed.body:
            delivery.due_from = None
            self._transfers.begin(composed.id, now)
            return
        self._out.append(Datagram(self._seal(Kind.MESSAGE, composed.plaintext), None))
        self._solicitor.soon(now + self._solicitor.patience(self.window))

    def ask(
        self, name: str, body: bytes, selector: str, expected: Iterable[int], now: float, within: float
    ) -> QuestionId:
        """Ask now what nodes have `within` seconds to answer; Reply events, then one Over. UsageError beyond a limit.

        An empty `name` is a ping. `expected`: roster indexes; the selector must match just these.
        """
        if len(body) > QUESTION_BODY_MAX:
            raise UsageError(f"the question has {len(body)} bytes; one carries {QUESTION_BODY_MAX}")
        self._questions.room()
        head = self._head()
        question = Question(head, int(self.window * 1e6), int(within * 1e3), selector, name, body)
        plaintext = signed.signed(Kind.QUESTION, self.me.group, encode_question(question), self.me.signer)
        identity = (head.boot, head.counter)
        self._questions.ask(identity, plaintext, expected, now, within, self._solicitor.patience(self.window))
        self._out.append(Datagram(self._seal(Kind.QUESTION, plaintext), None))
        return identity

    def give_up(self, question: QuestionId) -> None:
        """Nobody waits for its answers any more."""
        self._questions.cancel(question)

    def restore(self, delivery: Delivery, now: float) -> None:
        """A message of an earlier run, from the store."""
        self.deliveries.track(delivery)
        self._solicitor.soon(now + BEACON_IDLE)

    def dropped(self, lane: int, lowest: int, now: float) -> None:
        """The store no longer keeps what is before this number of a lane: it is a gap to who still lacks it."""
        out = self.lanes[lane]
        gone = [MessageId(self.me.term, lane, sequence) for sequence in range(out.lowest, lowest)]
        out.drop_below(lowest)
        self.conditions.drop(gone)
        self._close(gone, State.GAP, now)

    def heard(self, entries: Iterable[Entry]) -> None:
        """What these reports tell of single messages is committed: their nodes need not tell it again."""
        waiting = list(entries)
        for at in range(0, len(waiting), HEARD_MAX):
            part = tuple(waiting[at : at + HEARD_MAX])
            node = self.roster.at(part[0].index) if len(part) == 1 else None
            content = encode_heard(Heard(self._head(), part))
            plaintext = signed.signed(Kind.HEARD, self.me.group, content, self.me.signer)
            self._out.append(Datagram(self._seal(Kind.HEARD, plaintext), node.address if node else None))

    def enlist(self, row: NodeRow) -> None:
        """A node from the store, or one whose row has changed."""
        known = self.roster.get(row.id)
        if known:
            known.row = row
            self.roster.changed()
        else:
            self.roster.put(Node(row, self.me.agreement.agree(row.public)))
        if row.single_us:
            self.reach.settle()

    def admit(self, enrolling: Enrolling) -> None:
        """The row is committed: the node may know."""
        self.enlist(enrolling.row)
        self.admission.settled(enrolling.row.id)
        self._out.append(enrolling.welcome)

    def forget(self, node: Node) -> None:
        """Expect nothing more from this node."""
        self.roster.remove(node)
        if node.row.single_us:
            self.reach.settle()
        self._questions.forget(node.row.index)
        self._events.extend(self.deliveries.forget(node.row.index))

    def revoke(self, row: NodeRow, keys: GroupKeys, now: float) -> None:
        """On disk: the node is out, and a key that it has not holds. Nothing more is expected from it."""
        self.enlist(row)
        self.take_keys(keys, now)
        receipts, completed = self.deliveries.revoke(row.index, now)
        if receipts:
            self._events.append(ReceiptsIn(receipts))
        self._events.extend(completed)

    def keys_due(self, now: float, now_us: int) -> GroupKeys | None:
        """What is to be committed, then taken."""
        return self.keyring.due(now, now_us, self._entropy(KEY_SIZE))

    def take_keys(self, keys: GroupKeys, now: float) -> None:
        """These group keys are on disk: from now on they hold, and the beacons say so."""
        before = self.keyring.keys
        self.keyring.take(keys)
        if keys.epoch != before.epoch:
            self._epoch_from = self._counter
        if keys.given != before.given:
            self._beacons.anew(now)

    def receive(self, got: Received) -> None:
        """One datagram from the network."""
        try:
            front = read_front(got.data)
            reader = self._readers.get(front.kind)
            if reader is None:
                raise DecodeError("not for a master")
            if front.group != self.me.group:
                if front.kind is Kind.BEACON:
                    self.neighbours.heard(got.data, got.now)
                raise DecodeError("other group")
            if not self.tenure.speaking and front.kind not in _ALWAYS:
                raise DecodeError("not speaking")
            reader(got)
        except DecodeError as error:
            self.refused[error.reason] += 1

    def catch_up(self, got: Received) -> tuple[int, Iterator[bytes]]:
        """A node that lags asks by TCP: its index, and the frames of what it lacks. DecodeError where it is refused."""
        if read_front(got.data).kind is not Kind.CATCH_UP:
            raise DecodeError("not for a master")
        if not self.tenure.speaking:
            raise DecodeError("not speaking")
        node, asked = self._from_node(got.data, decode_catch_up)
        self._fresh(node, asked.counter, node.address, got.now, got.now_us)
        return node.row.index, self._backlog(asked, node.row.index, got.now_us)

    def inquire(self, now: float, now_us: int) -> None:
        """Ask nodes and other masters what they have heard; only a master that does not speak does."""
        _, data = self._beacon(now, now_us, asking=True)
        audiences = (Audience.SINGLE, Audience.SHARED, Audience.MASTERS)
        self._inquiries += [Datagram(data, to) for to in audiences]

    def next_event(self) -> MasterEvent | None:
        """What the shell has to keep or tell, in order."""
        return self._events.popleft() if self._events else None

    def datagrams_to_send(self) -> list[Datagram]:
        """And forgets them. A master that does not speak asks, and says nothing else."""
        out, self._out = self._out if self.tenure.speaking else self._inquiries, []
        self._inquiries = []
        return out

    @property
    def timer(self) -> float:
        """When `handle_timer` has something to do."""
        if not self.tenure.speaking:
            return self.tenure.timer
        machines = (
            self._beacons, self._repeats, self._solicitor, self._transfers,
            self.keyring, self._questions, self.conditions,
        )  # fmt: skip
        times = (machine.timer for machine in machines)
        return min(at for at in times if at is not None)

    def handle_timer(self, now: float, now_us: int) -> None:
        """Say what is due."""
        if not self.tenure.speaking:
            self._listen(now, now_us)
            return
        if self.keyring.asks(now):
            self._events.append(KeysDue())
        self._close(self.conditions.ended(now), State.EXPIRED, now)
        if self._beacons.timer <= now:
            self._say_beacon(now, now_us)
        if self._repeats.timer is not None and self._repeats.timer <= now:
            for identity, indexes in self._repeats.due(now):
                self._say_again(identity, indexes)
        if self._transfers.timer is not None and self._transfers.timer <= now:
            self._transfer(now)
        if self._solicitor.timer is not None and self._solicitor.timer <= now:
            for lane, sequence, indexes in self._solicitor.due(now, self.window):
                self._say_solicit(lane, sequence, indexes)

        self._events.extend(self._questions.over(now))
        for plaintext, indexes in self._questions.due(now):
            self._say_to(indexes, self._seal(Kind.QUESTION, plaintext))

    # What the network brings

    def _on_hello(self, got: Received) -> None:
        spans = tuple(self.lanes.values())
        event = self.admission.hello(got.data, got.source, got.now, got.now_us, (self.me.term, self.me.boot), spans)
        self._events.append(event)

    def _on_report(self, got: Received) -> None:
        try:
            node, report = self._from_node(got.data, decode_report)
        except DecodeError as error:
            if error.reason == OLD_BOOT:
                self._twins.old_boot(got.data, self._beacons.left_at, got.now)
            raise
        sent = self._beacons.left_at(report.beacon_counter)
        try:
            self._fresh(node, report.counter, got.source, got.now, got.now_us)
        except DecodeError:
            self._twins.refused(node, report.beacon_counter, sent is not None, got.now)
            raise
        self._twins.accepted(node, report.beacon_counter)
        if self.reach.reported(node, report, got.now, got.now_us):
            self._events.append(NodeChanged(node.row))
        if sent is not None:
            node.rtt = max(0.0, got.now - sent - report.held_us / 1e6)
        node.drops = report.drops
        if report.beacon_counter > self._epoch_from:
            node.epoch = self.keyring.keys.epoch  # it has opened a beacon of this epoch
        told = list(self._teller.outcomes(node, report, self.lanes, got.now))
        marked = [
            receipt
            for lane in report.lanes
            for receipt in self._lane_report(node, lane, trusted(report, lane.lane), got.now)
        ]
        if marked:
            newest = marked[-1]
            delivery = self.deliveries.get(newest.message)
            if delivery and delivery.due_from == delivery.sent_at:  # in blocks it came as its pieces did
                self._solicitor.learn(node, newest.message.sequence, newest.after, self.window, got.now)
        entry = Entry(node.row.index, node.row.boot, report.counter) if report.outcomes else None
        self._keep([*told, *marked], entry)

    def _on_request(self, got: Received) -> None:
        node, request = self._from_node(got.data, decode_request)
        self._fresh(node, request.counter, got.source, got.now, got.now_us)
        node.requested_at = got.now
        lane = self.lanes.get(request.lane)
        if lane is None or request.term != self.me.term:
            raise DecodeError("other term")
        skips = 0
        lacking = []
        for first, count in request.ranges:
            sequence = max(first, 1)
            while sequence < min(first + count, lane.highest + 1):
                run = self.conditions.run(request.term, lane, sequence, node.row.index, got.now_us)
                if run is None:
                    lacking.append(MessageId(request.term, request.lane, sequence))
                elif skips < SKIPS_PER_REQUEST:
                    skips += 1
                    self._say_skip(lane, run, node)
                sequence = run.last + 1 if run else sequence + 1
        self._repeats.want(lacking, node.row.index, got.now)

    def _on_renew(self, got: Received) -> None:
        node, renew = self._from_node(got.data, decode_renew)
        self._fresh(node, renew.counter, got.source, got.now, got.now_us)
        self._out.append(self.rekeying.answer(got, node, renew, (self.me.term, self.me.boot)))

    def _on_answer(self, got: Received) -> None:
        node, answer = self._from_node(got.data, decode_answer)
        self._fresh(node, answer.counter, got.source, got.now, got.now_us)
        reply = self._questions.answered(node.row.index, answer, got.now)
        if reply:
            self._events.append(reply)

    def _on_fetch(self, got: Received) -> None:
        node, fetch = self._from_node(got.data, decode_fetch)
        self._fresh(node, fetch.counter, got.source, got.now, got.now_us)
        message, lane = fetch.message, self.lanes.get(fetch.message.lane)
        if lane is None or message.term != self.me.term:
            raise DecodeError("other term")
        run = self.conditions.run(message.term, lane, message.sequence, node.row.index, got.now_us)
        if run:
            self._say_skip(lane, run, node)
        else:
            self._transfers.fetch(fetch, node.row.index, got.now)

    def _on_beacon(self, got: Received) -> None:
        heard = self._audit.rival(got, self._counter if self.tenure.speaking else 0)
        if heard is None:
            return
        rival, asking = heard
        answers, settled = self.tenure.beacon(rival, self._counter, asking=asking)
        if answers:
            self._say_beacon(got.now, got.now_us)
            self._out.append(Datagram(self._out[-1].data, Audience.MASTERS))
            self._out.append(Datagram(self._out[-1].data, got.source))
        self._settle(settled)

    def _on_tally(self, got: Received) -> None:
        self.tenure.tally(self._audit.tally(got))

    # How it decides

    def _listen(self, now: float, now_us: int) -> None:
        """Ask the nodes what they have heard; see what it has come to."""
        asks, settled = self.tenure.due(now)
        if asks:
            self.inquire(now, now_us)
        self._settle(settled)

    def _settle(self, settled: StandingChanged | None) -> None:
        if settled is None:
            return
        self._events.append(settled)

    def _from_node(self, data: bytes, decode: Callable[[bytes], _T]) -> tuple[Node, _T]:
        """The approved node that sealed this, and what it says."""
        header = read_up(data)
        node = self.roster.get(header.node)
        if node is not None and node.row.trust == "revoked":
            raise DecodeError("revoked node")
        if node is None or not node.row.approved:
            raise DecodeError("unknown node")
        if header.boot < node.row.boot:
            raise DecodeError("old boot")
        key = node.keys.get(header.kind) if header.boot == node.row.boot else None
        if key is None:
            key = self._up_key(node, header)
        content = decode(key.open(data, UP_SIZE))
        if header.boot > node.row.boot:
            node.row = replace(node.row, boot=header.boot)
            node.counters = CounterWindow()
            node.keys.clear()
            self._events.append(NodeChanged(node.row))
        node.keys[header.kind] = key
        return node, content

    def _up_key(self, node: Node, header: UpHeader) -> SealKey:
        boots = (self.me.term, self.me.boot, header.boot)
        return up_key(node.shared, header.kind, self.me.group, self.id, boots, header.node)

    def _fresh(self, node: Node, counter: int, address: Address | None, now: float, now_us: int) -> None:
        """Refuse what is replayed; take note of where and when the node spoke."""
        if not node.counters.accept(counter):
            raise DecodeError("replayed")
        if address is not None and node.address != address:
            node.address = address
            node.row = replace(node.row, address=address[0], port=address[1], seen_us=now_us)
            if node.row.single_us:
                self.reach.settle()
            self._events.append(NodeChanged(node.row))
        node.row = replace(node.row, seen_us=now_us)
        node.heard_at = now
        self._solicitor.heard(node, now)

    def _keep(self, receipts: Iterable[Receipt], heard: Entry | None = None) -> None:
        """Have receipts committed, and say which messages they settle."""
        found = tuple(receipts)
        if found or heard:
            self._events.append(ReceiptsIn(found, heard))
        self._events.extend(self.deliveries.completed(dict.fromkeys(receipt.message for receipt in found)))

    def _close(self, messages: Iterable[MessageId], state: State, now: float) -> None:
        """Nothing more is tried for who has not answered about these."""
        waiting = [(identity, self.deliveries.get(identity)) for identity in messages]
        moves = [
            self.deliveries.move(identity, index, state, now)
            for identity, delivery in waiting
            if delivery
            for index in tuple(delivery.outstanding)
        ]
        self._keep(receipt for receipt in moves if receipt)

    def _lane_report(self, node: Node, report: LaneReport, bound: int | None, now: float) -> list[Receipt]:
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
        return list(self._teller.marks(node, report, lane, bound, now))

    # What it says

    def _head(self) -> Head:
        self._counter += 1
        return Head(self.id, self.me.term, self.me.boot, self._counter)

    def _seal(self, kind: Kind, plaintext: bytes) -> bytes:
        return seal_down(kind, self.me.group, self.keyring.keys.epoch, self.keyring.sealing(), plaintext)

    def _say_beacon(self, now: float, now_us: int) -> None:
        calls = self.reach.calls(now)
        if self.serves_single or self.reach.targets or calls:
            # A beacon of its own: a report that names its counter tells which of the two was heard.
            counter, data = self._beacon(now, now_us)
            self._out.append(Datagram(data, Audience.SINGLE))
            self._out.extend(Datagram(data, to) for to in calls)
            self._beacons.left(counter, now, single=True)
        counter, data = self._beacon(now, now_us)
        self._out.append(Datagram(data, Audience.SHARED))
        if now - self._told_masters >= BEACON_IDLE:
            self._told_masters = now
            self._out.append(Datagram(data, Audience.MASTERS))
        self._beacons.left(counter, now)
        self._beacons.said(now)

    def _beacon(self, now: float, now_us: int, *, asking: bool = False) -> tuple[int, bytes]:
        """The next counter, and the beacon that bears it."""
        me, keys, head = self.me, self.keyring.keys, self._head()
        beacon = Beacon(
            me.group, keys.epoch, me.signer.public, me.agreement.public,
            me.term, me.boot, head.counter, keys.open, me.port, self.addresses, asking,
        )  # fmt: skip
        presence = int(self.roster.presence * 1000)
        spans = tuple(lane.span() for lane in self.lanes.values())
        marks = Marks(spans, int(self.window * 1e6), presence, now_us, me.group_name, *self.keyring.announcement(now))
        return head.counter, encode_beacon(beacon, marks, self.keyring.sealing(), me.signer)

    def _say_again(self, identity: MessageId, indexes: set[int]) -> None:
        """Repeat a message to the nodes that lack it."""
        if self._transfers.coming(identity):
            return
        plaintext = self._shelf.signed_message(identity)
        if plaintext is None:
            self.refused["no longer kept"] += 1
            return
        self.deliveries.repeated(identity, indexes)
        self._say_to(indexes, self._seal(Kind.MESSAGE, plaintext))
        self.repaired += 1

    def _say_skip(self, lane: OutLane, run: Run, node: Node) -> None:
        """Tell a node that it will not get these numbers."""
        skip = self._skip(lane, run, node.row.index)
        if skip:
            self._out.append(Datagram(skip, node.address))

    def _skip(self, lane: OutLane, run: Run, index: int) -> bytes | None:
        """The datagram; None where the store has lost the chain that it needs."""
        chain = lane.chain_at(run.last)
        if chain is None:
            self.refused["no longer kept"] += 1
            return None
        to = index if run.cause is Cause.NOT_FOR_YOU else ANY_NODE
        skip = Skip(self._head(), lane.lane, run.first, run.last - run.first + 1, run.cause, to, chain)
        return self._seal(Kind.SKIP, signed.signed(Kind.SKIP, self.me.group, encode_skip(skip), self.me.signer))

    def _backlog(self, asked: CatchUp, index: int, now_us: int) -> Iterator[bytes]:
        """Frames of all after the marks, urgent ones first; also of what is sent meanwhile."""
        for number, term, received in sorted(asked.lanes, reverse=True):
            lane = self.lanes.get(number)
            sequence = received + 1
            while lane is not None and term == self.me.term and sequence <= lane.highest:
                run = self.conditions.run(term, lane, sequence, index, now_us)
                if run:
                    skip = self._skip(lane, run, index)
                    if skip:
                        yield frame(skip)
                    sequence = run.last + 1
                    continue
                plaintext = self._shelf.signed_message(MessageId(term, number, sequence))
                if plaintext is not None:
                    self.caught_up += 1
                    yield frame(self._seal(Kind.MESSAGE, plaintext))
                    for kind, piece in self._pieces(MessageId(term, number, sequence)):
                        yield frame(self._seal(kind, piece))
                sequence += 1

    def _pieces(self, identity: MessageId) -> Iterator[tuple[Kind, bytes]]:
        """What a message in blocks has besides its MESSAGE."""
        body = self._shelf.body(identity)
        return iter(()) if body is None else Cut(body).plaintexts(identity)

    def _transfer(self, now: float) -> None:
        """Send of what goes in blocks as much as the rate allows."""
        for send in self._transfers.due(now):
            node = self.roster.at(send.to) if send.to is not None else None
            self._out.append(Datagram(self._seal(send.kind, send.plaintext), node.address if node else None))
            delivery = self.deliveries.get(send.message)
            if delivery:
                if delivery.due_from is None:
                    self._solicitor.soon(now + self._solicitor.patience(self.window))
                delivery.due_from = now + FETCHING

    def _say_solicit(self, lane: int, sequence: int, indexes: set[int]) -> None:
        window_us = int(receipt_window(len(indexes)) * 1e6)
        for first, bitmap in bitmaps(indexes):
            content = encode_solicit(Solicit(self._head(), lane, sequence, window_us, first, bitmap))
            plaintext = signed.signed(Kind.SOLICIT, self.me.group, content, self.me.signer)
            there = {index for index in indexes if 0 <= index - first < 8 * len(bitmap)}
            self._say_to(there, self._seal(Kind.SOLICIT, plaintext))

    def _say_to(self, indexes: set[int], data: bytes) -> None:
        """To these nodes, one by one where they are few and their addresses are known, else to all."""
        nodes = [self.roster.at(index) for index in indexes]
        addresses = [node.address for node in nodes if node and node.address]
        if len(addresses) < len(indexes) or len(indexes) > few(len(self.roster)):
            self._out.append(Datagram(data, None))
        else:
            self._out.extend(Datagram(data, address) for address in addresses)
