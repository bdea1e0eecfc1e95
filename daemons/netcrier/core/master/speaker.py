"""The master's machine: numbers and signs messages, sends them, beacons, repairs, solicits, and collects receipts.

Theory of operation
- `compose` gives a message its number and signature; the shell commits it; `publish` sends it (or `withdraw` takes the
  number back where the commit failed). Sealing is done at sending, so a repair is sealed under the epoch of the day.
- This module hands on: what is said goes through voice.py, beacons through herald.py, what nodes say comes in through
  reception.py and ends in ledger.py. What lacks is sent again by repair.py; what of earlier terms is to be had, past.py
  says; questions are questioner.py's; who may join is decided in admission.py, whether this master may speak in
  tenure.py, on what rivals.py hears.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

from netcrier.core.delivery import Delivery, State
from netcrier.core.events import Datagram, Enrolling, KeysDue, MasterEvent, NodeChanged, NodeRow, Received
from netcrier.core.master.admission import Admission
from netcrier.core.master.composer import Composed, Composer
from netcrier.core.master.conditions import Conditions
from netcrier.core.master.deliveries import Deliveries
from netcrier.core.master.herald import Herald
from netcrier.core.master.keyring import GroupKeys, Keyring
from netcrier.core.master.ledger import Ledger
from netcrier.core.master.neighbours import Neighbours
from netcrier.core.master.outbox import OutLane
from netcrier.core.master.past import Past
from netcrier.core.master.questioner import Questioner
from netcrier.core.master.reception import Reception
from netcrier.core.master.rekeying import Rekeying
from netcrier.core.master.repair import Repair
from netcrier.core.master.rivals import Rivals
from netcrier.core.master.roster import Node, Roster
from netcrier.core.master.stock import Shelf, Stock
from netcrier.core.master.tenure import Tenure
from netcrier.core.master.twins import OLD_BOOT, Twins
from netcrier.core.master.voice import Identity, Voice
from netcrier.core.pacing import BEACON_IDLE
from netcrier.core.parity import Parity
from netcrier.core.questions import QuestionId
from netcrier.errors import DecodeError
from netcrier.ids import MessageId
from netcrier.wire.catch_up import decode_catch_up
from netcrier.wire.envelope import KEY_SIZE, master_id
from netcrier.wire.fetch import decode_fetch
from netcrier.wire.header import read_front
from netcrier.wire.heard import Entry, Heard, encode_heard
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import HEARD_MAX
from netcrier.wire.question import decode_answer
from netcrier.wire.rekey import decode_renew
from netcrier.wire.report import decode_report, decode_request
from netcrier.wire.turn import encode_turn

_ALWAYS = frozenset({Kind.BEACON, Kind.TALLY})
"""What is read also while the master does not speak."""


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
        past: Mapping[int, Iterable[OutLane]] = MappingProxyType({}),
        unknown: Iterable[tuple[int, int, int]] = (),
    ) -> None:
        """`past`: earlier terms to their lanes; `unknown`: (term, lane, number) up to which nodes had messages then."""
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
        self.overfull = False
        """Whether the shell has no room for more receipts: until it has, what reports tell is not looked at."""
        self.keyring = keyring
        self.voice = Voice(me, keyring, self.roster)
        self.herald = Herald(self.voice, keyring, self.lanes, self.roster)
        self.past = Past(me.term, past, unknown)
        self.stock = Stock(self.voice, self.lanes, self.past, self.conditions, shelf, self.refused)
        self.admission = Admission(
            me.group, me.group_name, me.signer, me.agreement, keyring, self.roster, entropy,
            self.deliveries.owed, self.stock.find,
        )  # fmt: skip
        self.rekeying = Rekeying(me.group, me.signer, me.agreement, keyring, entropy)
        self._entropy = entropy
        self._epoch_from = 0
        """The counter after which every beacon of this run was sealed under the current epoch."""
        self._events: deque[MasterEvent] = deque()
        self._composer = Composer(self.voice, self.lanes, self.roster)
        self._ledger = Ledger(me.term, self.lanes, self.past, self.deliveries, self.refused, self._events)
        self.repair = Repair(self.voice, self.roster, self.deliveries, self.stock, shelf, parity, self.refused)
        self._rivals = Rivals(self.tenure, self.voice, self.herald, self.roster, self._events)
        self._questioner = Questioner(self.voice, self._events)
        self._reception = Reception(self.voice, self.roster, self.repair.solicitor, self.herald.reach, self._events)
        self._twins = Twins(self.roster, self._reception.up_key)
        self._readers: dict[Kind, Callable[[Received], None]] = {
            Kind.HELLO: self._on_hello,
            Kind.REPORT: self._on_report,
            Kind.REQUEST: self._on_request,
            Kind.RENEW: self._on_renew,
            Kind.ANSWER: self._on_answer,
            Kind.FETCH: self._on_fetch,
            Kind.BEACON: self._rivals.on_beacon,
            Kind.TALLY: self._rivals.on_tally,
        }

    # What the shell calls

    @property
    def window(self) -> float:
        """The receipt window of a message sent now, seconds."""
        return self.herald.window

    def compose(self, lane: int, body: bytes, now_us: int, selector: str = "", ttl_ms: int = 0) -> Composed:
        """As `Composer.compose`; UsageError also where the master does not speak."""
        self.tenure.require()
        return self._composer.compose(lane, body, now_us, self.window, selector, ttl_ms)

    def expected(self, selector: str) -> tuple[int, ...]:
        """As `Composer.expected`."""
        return self._composer.expected(selector)

    def withdraw(self, composed: Composed) -> None:
        """The commit failed: the number is free again."""
        self._composer.withdraw(composed)

    def publish(self, composed: Composed, now: float) -> None:
        """Send what is committed."""
        delivery = Delivery(composed.id, composed.expected, now)
        self.deliveries.track(delivery)
        if composed.condition:
            self.conditions.put(composed.id, composed.condition, now, composed.sent_us)
        self.repair.publish(composed, delivery, self.window, now)

    def ask(
        self, name: str, body: bytes, selector: str, expected: Iterable[int], now: float, within: float
    ) -> QuestionId:
        """Ask now what nodes have `within` seconds to answer; Reply events, then one Over. UsageError beyond a limit.

        An empty `name` is a ping. `expected`: roster indexes; the selector must match just these.
        """
        patience = self.repair.solicitor.patience(self.window)
        return self._questioner.ask(name, body, selector, expected, now, within, self.window, patience)

    def give_up(self, question: QuestionId) -> None:
        """Nobody waits for its answers any more."""
        self._questioner.open.cancel(question)

    def restore(self, delivery: Delivery, now: float) -> None:
        """A message of an earlier run, from the store. Of an earlier term nodes tell by themselves."""
        self.deliveries.track(delivery)
        if delivery.message.term != self.me.term:
            delivery.due_from = None
        self.repair.solicitor.soon(now + BEACON_IDLE)

    def dropped(self, term: int, lane: int, lowest: int, now: float) -> None:
        """The store no longer keeps what is before this number of a lane: it is a gap to who still lacks it."""
        out = self.stock.lane(lane, term)
        gone = [MessageId(term, lane, sequence) for sequence in range(out.lowest, lowest)]
        out.drop_below(lowest)
        self.conditions.drop(gone)
        self._ledger.close(gone, State.GAP, now)

    def heard(self, entries: Iterable[Entry]) -> None:
        """What these reports tell of single messages is committed: their nodes need not tell it again."""
        waiting = list(entries)
        for at in range(0, len(waiting), HEARD_MAX):
            part = tuple(waiting[at : at + HEARD_MAX])
            plaintext = self.voice.signed(Kind.HEARD, encode_heard(Heard(self.voice.head(), part)))
            self.voice.say_to({entry.index for entry in part}, self.voice.sealed(Kind.HEARD, plaintext))
        for turn in self.past.turns(waiting, self.voice.head):
            plaintext = self.voice.signed(Kind.TURN, encode_turn(turn))
            self.voice.say_to({stand.index for stand in turn.stands}, self.voice.sealed(Kind.TURN, plaintext))

    def enlist(self, row: NodeRow) -> None:
        """A node from the store, or one whose row has changed."""
        known = self.roster.get(row.id)
        if known:
            known.take(row)
            self.roster.changed()
        else:
            self.roster.put(Node(row, self.me.agreement.agree(row.public)))
        if row.single_us:
            self.herald.reach.settle()

    def admit(self, enrolling: Enrolling) -> None:
        """The row is committed: the node may know."""
        self.enlist(enrolling.row)
        self.admission.settled(enrolling.row.id)
        self.voice.hand([enrolling.welcome])

    def forget(self, node: Node) -> None:
        """Expect nothing more from this node."""
        self.roster.remove(node)
        if node.row.single_us:
            self.herald.reach.settle()
        self._questioner.open.forget(node.row.index)
        self._ledger.forget(node.row.index)

    def revoke(self, row: NodeRow, keys: GroupKeys, now: float) -> None:
        """On disk: the node is out, and a key that it has not holds. Nothing more is expected from it."""
        self.enlist(row)
        self.take_keys(keys, now)
        self._ledger.revoke(row.index, now)

    def keys_due(self, now: float, now_us: int) -> GroupKeys | None:
        """What is to be committed, then taken."""
        return self.keyring.due(now, now_us, self._entropy(KEY_SIZE))

    def take_keys(self, keys: GroupKeys, now: float) -> None:
        """These group keys are on disk: from now on they hold, and the beacons say so."""
        before = self.keyring.keys
        self.keyring.take(keys)
        if keys.epoch != before.epoch:
            self._epoch_from = self.voice.counter
        if keys.given != before.given:
            self.herald.clock.anew(now)

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
        node, asked = self._reception.open(got.data, decode_catch_up)
        self._reception.called(node, asked.counter, got)
        return node.row.index, self.stock.frames(asked, node.row.index, got.now_us)

    def inquire(self, now: float, now_us: int) -> None:
        """Ask nodes and other masters what they have heard; only a master that does not speak does."""
        self._rivals.inquire(now, now_us)

    def next_event(self) -> MasterEvent | None:
        """What the shell has to keep or tell, in order."""
        return self._events.popleft() if self._events else None

    def datagrams_to_send(self) -> list[Datagram]:
        """And forgets them. A master that does not speak asks, and says nothing else."""
        said, asked = self.voice.take(), self._rivals.take()
        return said if self.tenure.speaking else asked

    @property
    def timer(self) -> float:
        """When `handle_timer` has something to do."""
        if not self.tenure.speaking:
            return self.tenure.timer
        machines = (self.herald.clock, self.repair, self.keyring, self._questioner.open, self.conditions)
        times = (machine.timer for machine in machines)
        return min(at for at in times if at is not None)

    def handle_timer(self, now: float, now_us: int) -> None:
        """Say what is due."""
        if not self.tenure.speaking:
            self._rivals.due(now, now_us)
            return
        if self.keyring.asks(now):
            self._events.append(KeysDue())
        self._ledger.close(self.conditions.ended(now), State.EXPIRED, now)
        if self.herald.clock.timer <= now:
            self.herald.say(now, now_us)
        self.repair.due(now, now_us, self.window)
        self._questioner.due(now)

    # What the network brings

    def _on_hello(self, got: Received) -> None:
        spans = tuple(self.lanes.values())
        event = self.admission.hello(got.data, got.source, got.now, got.now_us, (self.me.term, self.me.boot), spans)
        self._events.append(event)

    def _on_report(self, got: Received) -> None:
        beacons = self.herald.clock
        try:
            node, report = self._reception.open(got.data, decode_report)
        except DecodeError as error:
            if error.reason == OLD_BOOT:
                self._twins.old_boot(got.data, beacons.left_at, got.now)
            raise
        sent = beacons.left_at(report.beacon_counter)
        try:
            self._reception.fresh(node, report.counter, got)
        except DecodeError:
            self._twins.refused(node, report.beacon_counter, sent is not None, got.now)
            raise
        self._twins.accepted(node, report.beacon_counter)
        if self.herald.reach.reported(node, report, got.now, got.now_us):
            self._events.append(NodeChanged(node.row))
        if sent is not None:
            node.rtt = max(0.0, got.now - sent - report.held_us / 1e6)
        node.drops = report.drops
        if report.beacon_counter > self._epoch_from:
            node.epoch = self.keyring.keys.epoch  # it has opened a beacon of this epoch
        if self.roster.double(node, got.now):
            return  # of two machines one says so: it is not known which has what
        if self.overfull:
            raise DecodeError("no room for receipts")
        newest = self._ledger.report(node, report, got.now)
        delivery = self.deliveries.get(newest.message) if newest else None
        if newest and delivery and delivery.due_from == delivery.sent_at:  # in blocks it came as its pieces did
            self.repair.solicitor.learn(node, newest.message.sequence, newest.after, self.window, got.now)

    def _on_request(self, got: Received) -> None:
        node, request = self._reception.read(got, decode_request)
        self.repair.requested(node, request, got)

    def _on_renew(self, got: Received) -> None:
        node, renew = self._reception.read(got, decode_renew)
        self.voice.hand([self.rekeying.answer(got, node, renew, (self.me.term, self.me.boot))])

    def _on_answer(self, got: Received) -> None:
        node, answer = self._reception.read(got, decode_answer)
        self._questioner.answered(node, answer, got.now)

    def _on_fetch(self, got: Received) -> None:
        node, fetch = self._reception.read(got, decode_fetch)
        self.repair.fetched(node, fetch, got)
