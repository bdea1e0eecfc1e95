"""The node's machine: hears a master, trusts it, collects its messages, asks for what lacks, and reports.

Theory of operation
- Until it is enrolled a node hears beacons, pins the first master (or the one of its token), and says hello.
- Messages go to the inbox; the shell takes a batch (`take_batch`), commits it, appends to its log, and says so
  (`committed`, `delivered`). Only then is a report due, in the node's slot of the receipt window.
- This module hands on: whether the master has said something is decided in hearing.py, how the node comes by keys in
  joining.py, what becomes of a message in intake.py, how it gets what lacks in asking.py, what is reported and when in
  reporter.py; what it says leaves by upward.py.
- Every datagram ends as a state change or as a count in `refused`, by reason. Nothing the network brings raises.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from msgspec.structs import replace

from netcrier.core.events import (
    Address,
    Asked,
    Datagram,
    Enrolled,
    KeysRenewed,
    MasterBooted,
    NodeEvent,
    Pin,
    Pinned,
    Received,
    Settled,
)
from netcrier.core.node.answers import Answers
from netcrier.core.node.asking import Asking
from netcrier.core.node.copies import Copies
from netcrier.core.node.greeting import Self
from netcrier.core.node.hearing import Hearing, Membership
from netcrier.core.node.inbox import Batch, Inbox, Lane
from netcrier.core.node.intake import Intake
from netcrier.core.node.joining import Joining
from netcrier.core.node.judge import Judge
from netcrier.core.node.reply import answer_address
from netcrier.core.node.reporter import Reporter
from netcrier.core.node.telling import Telling
from netcrier.core.node.upward import Upward
from netcrier.core.outcomes import Outcomes, Untold
from netcrier.core.pacing import (
    ASKED_WITHIN,
    Gathering,
    receipt_slot,
    receipt_window,
    renewal_spread,
    request_delay,
    untold_delay,
)
from netcrier.core.parity import Parity
from netcrier.core.questions import QuestionId
from netcrier.errors import DecodeError, UsageError
from netcrier.ids import LANES, MasterId, MessageId, NodeId
from netcrier.wire.beacon import Beacon, Marks, decode_beacon, verify_beacon
from netcrier.wire.block import decode_block
from netcrier.wire.envelope import node_id
from netcrier.wire.fragment import decode_fragment, decode_parity
from netcrier.wire.header import read_kind
from netcrier.wire.heard import decode_heard
from netcrier.wire.hello import Welcome
from netcrier.wire.kinds import Kind
from netcrier.wire.message import decode_message
from netcrier.wire.question import decode_question, encode_answer
from netcrier.wire.report import encode_report
from netcrier.wire.selector import facts_of, parse_selector
from netcrier.wire.signed import Head, content_digest
from netcrier.wire.skip import ANY_NODE, decode_skip
from netcrier.wire.solicit import decode_solicit
from netcrier.wire.turn import decode_turn

_REPORTS_BEFORE_HELLO: Final = 4
_STRANGER: Final = Membership()
_REPEATED: Final = frozenset({"replayed", "duplicate"})


class Listener:
    """See the module. `chance` gives a float in [0, 1), `entropy(n)` n random bytes."""

    def __init__(
        self,
        me: Self,
        pin: Pin | None,
        membership: Membership,
        lanes: Iterable[Lane],
        chance: Callable[[], float],
        entropy: Callable[[int], bytes],
        untold: Iterable[Untold] = (),
        parity: Parity | None = None,
        *,
        logged: bool = True,
    ) -> None:
        """`logged`: whether the log has all up to the lanes' marks."""
        self.me = me
        self.id: NodeId = node_id(me.key.public)
        self.refused: Counter[str] = Counter()
        self.received = 0
        self.open: bool | None = None
        self.heard_at: float | None = None
        self._chance, self._parity = chance, parity
        self._hearing = Hearing(membership)
        self._upward = Upward(me.key, me.boot, self._hearing)
        self._copies = Copies()
        self._gathering = Gathering()
        self._events: deque[NodeEvent] = deque()
        self._joining = Joining(me, self._hearing, self._upward, chance, entropy)
        self._go_on(lanes, untold, logged)
        self._telling = Telling(me.key, me.boot, chance)
        self._window = receipt_window(1)
        if pin:
            self._hearing.trust(pin)
        self._readers: dict[Kind, Callable[[Received], None]] = {
            Kind.BEACON: self._on_beacon,
            Kind.MESSAGE: self._on_message,
            Kind.SKIP: self._on_skip,
            Kind.SOLICIT: self._on_solicit,
            Kind.HEARD: self._on_heard,
            Kind.TURN: self._on_turn,
            Kind.WELCOME: self._on_welcome,
            Kind.REKEY: self._on_rekey,
            Kind.QUESTION: self._on_question,
            Kind.BLOCK: self._on_block,
            Kind.FRAGMENT: self._on_fragment,
            Kind.PARITY: self._on_parity,
        }

    # What the shell calls

    @property
    def pin(self) -> Pin | None:
        """Whom the node trusts."""
        return self._hearing.pin

    @property
    def master(self) -> MasterId:
        """The one that it trusts; there is one."""
        return self._hearing.verifier.master

    @property
    def membership(self) -> Membership:
        """What is to be kept of the group."""
        return self._hearing.membership

    @property
    def inbox(self) -> Inbox:
        """What the node has."""
        return self._intake.inbox

    @property
    def enrolled(self) -> bool:
        """Whether the node has a key and a starting point."""
        return self._hearing.epochs.any and self._intake.inbox.begun

    @property
    def _answering(self) -> bool:
        """Whether the node can report: enrolled, and told where the master listens; until then nothing is due."""
        return self.enrolled and self._upward.to is not None

    @property
    def keyless(self) -> bool:
        """Whether the node lacks the group key in force and several requests for it were for nothing."""
        return self._joining.unanswered

    @property
    def behind(self) -> int:
        """Messages that the master has sent and that lack here."""
        return self._asking.behind

    def join(
        self,
        pin: Pin,
        now: float,
        membership: Membership = _STRANGER,
        lanes: Iterable[Lane] = (),
        untold: Iterable[Untold] = (),
        *,
        logged: bool = True,
    ) -> None:
        """Trust another master (a token was given). Of another group all goes on as the node has left it, if it was
        there before; where the group is the same, the rest is not looked at."""
        if self._hearing.trust(pin):
            self._hearing.anew(membership, pin.group_name)
            self._go_on(lanes, untold, logged)
        self._joining.anew(now)

    def receive(self, got: Received) -> None:
        """One datagram from the network."""
        self._hearing.epochs.expire(got.now)
        try:
            reader = self._readers.get(read_kind(got.data))
            if reader is None:
                raise DecodeError("not for a node")
            reader(got)
        except DecodeError as error:
            if error.reason in _REPEATED and self._copies.is_copy(got.data, got.now):
                self.refused["copy"] += 1
            else:
                self.refused[error.reason] += 1
        else:
            self._copies.heard(got.data, got.now)

    def pause(self) -> float:
        """Seconds for which the shell may let datagrams gather before it reads again: 0 but while pieces flow."""
        return self._gathering.pause()

    def kernel_drops(self, total: int) -> None:
        """How many datagrams the kernel has dropped so far."""
        self._reporter.drops = total

    def take_batch(self) -> Batch | None:
        """What to commit next."""
        return self.inbox.take_batch()

    def committed(self, batch: Batch, now: float, now_us: int = 0) -> None:
        """The batch is on disk: receipts are due. With `now_us` their slots count from when the messages arrived."""
        before = self.inbox.lanes
        self._intake.committed(batch)
        for old, new in zip(before, self.inbox.lanes, strict=True):
            if new.term != old.term:
                self._turned(new, now)
        self.received += len(batch.arrivals)
        for arrival in batch.arrivals:
            message = arrival.message
            slot = receipt_slot(self.id, message.sequence, message.window_us / 1e6)
            waited = (now_us - arrival.received_us) / 1e6 if now_us else 0.0
            # A clock that was set meanwhile: at most the spread is lost.
            self._reporter.soon(now, max(0.0, slot - max(0.0, waited)))
        if not batch.arrivals:  # skips alone
            self._reporter.soon(now, request_delay(self._chance()))
        if batch.untold:
            self.tell(batch.untold, now)

    def tell(self, found: Iterable[Untold], now: float) -> None:
        """These outcomes are in the journal: the master is told until it has heard them."""
        self._settled(self._outcomes.add(found, now))

    def failed(self, batch: Batch, now: float) -> None:
        """The batch could not be committed; it is asked for again in a second."""
        self._intake.failed(batch)
        self._asking.failed(now)

    def delivered(self, message: MessageId, now: float, master: MasterId | None = None) -> None:
        """Everything of the lane up to this message is in the log; `master`: whose it is, where it may be another's."""
        if master is not None and (self.pin is None or master != self.master):
            return
        if self._reporter.delivered(message):
            self._reporter.soon(now, 1.0 if self._reporter.pending else 0.0)

    def catching_up(self, now: float) -> None:
        """The master's connection brings messages: they are not asked for by UDP meanwhile."""
        self._asking.catching_up(now)

    def caught_up(self, now: float, *, progressed: bool) -> None:
        """The connection is gone; what still lacks is asked for by UDP."""
        self._asking.caught_up(now, progressed=progressed)

    def answer(self, question: QuestionId, code: int, output: bytes, size: int, now: float) -> None:
        """What became of a question that an Asked event has brought. `size`: bytes of the output before any cut."""
        self._answers.answer(question, code, output, size, now)

    def next_event(self) -> NodeEvent | None:
        """What the shell has to keep or do, in order."""
        return self._events.popleft() if self._events else None

    def datagrams_to_send(self) -> list[Datagram]:
        """And forgets them."""
        return self._upward.take()

    @property
    def timer(self) -> float | None:
        """When `handle_timer` has something to do."""
        timers = [self._joining.timer, self._telling.timer]
        if self._answering:
            timers += (self._asking.timer, self._answers.timer, self._outcomes.timer, self._reporter.timer)
        return min([at for at in timers if at is not None], default=None)

    def handle_timer(self, now: float, now_us: int) -> None:  # noqa: ARG002 - one shape with the master's machine
        """Say what is due."""
        self._joining.due(self.inbox.lanes, now)
        if self._telling.timer is not None and self._telling.timer <= now:
            self._tell()
        if not self._answering:
            return
        if wanted := self._asking.due(now):
            self._events.append(wanted)
        for answer in self._answers.due(now):
            self._upward.say(Kind.ANSWER, encode_answer(replace(answer, counter=self._upward.next_counter())))
        if any(at is not None and at <= now for at in (self._reporter.timer, self._outcomes.timer)):
            self._report(now)

    # What the network brings

    def _on_beacon(self, got: Received) -> None:
        beacon = decode_beacon(got.data)
        if self.pin is None:
            pin = self._hearing.meet(got.data, beacon, self.me.key, got.now)
            self._hearing.trust(pin)
            self._events.append(Pinned(pin))
        verifier = self._hearing.ours(beacon)
        answer_to = answer_address(beacon.addresses, beacon.port, got.source)
        if beacon.asking:
            self._asked(got, beacon, answer_to)
            return
        marks = self._hearing.marks(got.data, beacon, got.now)
        verify_beacon(got.data, verifier)
        older = (beacon.term, beacon.boot) < self._hearing.numbers
        if older and (proof := self._telling.outdated(answer_to, got.now)):
            self._upward.send(proof)
        self._order(Head(verifier.master, beacon.term, beacon.boot, beacon.counter), got.now)
        self._telling.heard(got.data)
        self.open = beacon.open
        self._upward.to = answer_to
        self._heard(got.now)
        if not self.inbox.lanes:
            self._joining.soon(got.now)
            return
        if marks is None:
            self._hearing.epochs.drop(beacon.epoch)
            self._joining.ask_for_key(renewal_spread(self._window), got.now)
            return
        self._reporter.beacon(beacon.counter, got.now)
        self._window = marks.window_us / 1e6
        self._hold(beacon.epoch, marks, got.now)
        self._reporter.presence = marks.presence_ms / 1000
        self._judge.beacon(beacon.term, marks, got.now)
        if not self._judge.known:
            self._joining.soon(got.now)
        for span in marks.lanes:
            self._known(span.lane, beacon.term, span.highest, got.now)
        self._asking.look_behind(self._reporter.presence, got.now)

    def _on_message(self, got: Received) -> None:
        plaintext = self._hearing.opened(Kind.MESSAGE, got.data)
        message = decode_message(plaintext)
        assert self.pin
        digest = content_digest(Kind.MESSAGE, self.pin.group, plaintext)
        self._intake.check(message, digest, got.now)
        self._hearing.said(Kind.MESSAGE, plaintext, message.head)
        self._heard(got.now)
        self._intake.message(self._judge.arrival(message, digest, got.now_us, got.now), got.now)
        self._asking.known(message.lane, message.sequence, got.now)
        if message.blocks:
            self._asking.look_behind(self._reporter.presence, got.now)

    def _on_block(self, got: Received) -> None:
        self._intake.block(decode_block(self._hearing.opened(Kind.BLOCK, got.data)), got.now)

    def _on_fragment(self, got: Received) -> None:
        piece = decode_fragment(self._hearing.opened(Kind.FRAGMENT, got.data))
        self._gathering.piece()
        self._intake.fragment(piece, got.now)

    def _on_parity(self, got: Received) -> None:
        piece = decode_parity(self._hearing.opened(Kind.PARITY, got.data))
        self._gathering.piece()
        self._intake.parity(piece, got.now)

    def _on_skip(self, got: Received) -> None:
        plaintext = self._hearing.opened(Kind.SKIP, got.data)
        skip = decode_skip(plaintext)
        if skip.index not in (ANY_NODE, self.membership.index):
            raise DecodeError("not for this node")
        self._verified(Kind.SKIP, plaintext, skip.head, got.now)
        self._intake.skip(skip)
        self._asking.known(skip.lane, skip.last, got.now)

    def _on_heard(self, got: Received) -> None:
        plaintext = self._hearing.opened(Kind.HEARD, got.data)
        heard = decode_heard(plaintext)
        ours = (self.membership.index, self.me.boot)
        counters = [entry.counter for entry in heard.entries if (entry.index, entry.boot) == ours]
        if not counters:
            raise DecodeError("not for this node")
        self._verified(Kind.HEARD, plaintext, heard.head, got.now)
        self._settled([one for counter in counters for one in self._outcomes.heard(counter, got.now)])

    def _on_turn(self, got: Received) -> None:
        plaintext = self._hearing.opened(Kind.TURN, got.data)
        turn = decode_turn(plaintext)
        ours = (self.membership.index, self.me.boot)
        mark = next((stand.received for stand in turn.stands if (stand.index, stand.boot) == ours), None)
        if mark is None:
            raise DecodeError("not for this node")
        self._verified(Kind.TURN, plaintext, turn.head, got.now)
        lane = next((lane for lane in self.inbox.lanes if (lane.lane, lane.term) == (turn.lane, turn.term)), None)
        if lane is None:
            return
        self._waits = 0
        if lane.mark < turn.last:
            self._asking.known(turn.lane, turn.last, got.now)
            self._asking.look_behind(self._reporter.presence, got.now)
        elif mark == lane.mark and not self._outcomes.owes(turn.lane, turn.term):
            self.inbox.turn(turn.lane, turn.known, turn.following)

    def _on_solicit(self, got: Received) -> None:
        plaintext = self._hearing.opened(Kind.SOLICIT, got.data)
        solicit = decode_solicit(plaintext)
        if self.membership.index is None or not solicit.asks(self.membership.index):
            raise DecodeError("not asked")
        self._verified(Kind.SOLICIT, plaintext, solicit.head, got.now)
        self._known(solicit.lane, solicit.head.term, solicit.sequence, got.now)
        self._reporter.soon(got.now, receipt_slot(self.id, solicit.sequence, solicit.window_us / 1e6))

    def _on_welcome(self, got: Received) -> None:
        welcome = self._joining.welcome(got)
        self._join_lanes(welcome)
        self._heard(got.now)
        self._reporter.soon(got.now, 0.0)

    def _on_rekey(self, got: Received) -> None:
        self._joining.rekey(got)
        self._events.append(KeysRenewed(self._hearing.epochs.newest))
        self._heard(got.now)

    def _on_question(self, got: Received) -> None:
        plaintext = self._hearing.opened(Kind.QUESTION, got.data)
        question = decode_question(plaintext)
        self._hearing.said(Kind.QUESTION, plaintext, question.head)
        if not self._meant(question.selector):
            raise DecodeError("not asked")
        if self._answers.again((question.head.boot, question.head.counter), got.now):
            return
        self._order(question.head, got.now)
        self._heard(got.now)
        identity = self._answers.heard(question, got.now)
        if question.name:
            self._events.append(Asked(identity, question.name, question.body, got.now + question.deadline_ms / 1e3))
        else:
            self._answers.answer(identity, 0, b"", 0, got.now)

    # How it decides

    def _go_on(self, lanes: Iterable[Lane], untold: Iterable[Untold], logged: bool) -> None:
        """With a master, from where the journal has it."""
        self._intake = Intake(lanes, self._chance, self._parity)
        self._asking = Asking(self._intake, self._upward, self._chance)
        self._reporter = Reporter(self.inbox.lanes, self._chance, logged)
        self._answers = Answers(self.id)
        self._judge = Judge(self.me.name, self.me.tags, self.membership.told)
        self._outcomes = Outcomes(untold, self._chance)
        self._ahead: dict[tuple[int, int], int] = {}
        """By term and lane: the highest number that the master has sent, where the lane is not in that term yet."""
        self._waits = 0
        """Reports of an earlier term that no turn has answered."""
        for lane in self.inbox.lanes:
            self._settled(self._outcomes.turned(lane.lane, lane.term, 0.0))

    def _meant(self, selector: str) -> bool:
        """Whether this node's name and tags match; DecodeError where the selector is none."""
        try:
            return parse_selector(selector).holds(facts_of(self.me.name, self.me.tags))
        except UsageError as error:
            raise DecodeError("malformed", str(error)) from None

    def _hold(self, epoch: int, marks: Marks, now: float) -> None:
        """A beacon of this epoch was opened: its key is the current one; another may be announced."""
        if self._hearing.epoch_opened(epoch, now):
            self._events.append(KeysRenewed(epoch))
            self._reporter.soon(now, renewal_spread(self._window) * self._chance())
        if marks.next_epoch and marks.next_epoch not in self._hearing.epochs:
            self._joining.ask_for_key(ASKED_WITHIN * marks.next_in_ms / 1000, now)

    def _order(self, head: Head, now: float) -> None:
        """Refuse what is replayed; take note of a newer boot."""
        if self._hearing.order(head):
            self._events.append(MasterBooted(head.term, head.boot))
            self._reporter.beacon(0, 0.0)
            self._reporter.soon(now, 0.1 * self._chance())
            self._follow(head.term, now)

    def _verified(self, kind: Kind, plaintext: bytes, head: Head, now: float) -> None:
        """The master said this, in this boot, for the first time; DecodeError else."""
        self._hearing.said(kind, plaintext, head)
        self._order(head, now)
        self._heard(now)

    def _follow(self, term: int, now: float) -> None:
        """A new term numbers anew, from 1; a master with an older store may not know this node, so it says hello."""
        self._ahead = {}
        if any(lane.term < term for lane in self.inbox.lanes):
            self._waits = 0
            self._joining.later(now + self._reporter.presence * self._chance())

    def _turned(self, lane: Lane, now: float) -> None:
        """All of the earlier term is here, or known to be lost: the lane has begun the next one."""
        self._reporter.begin(lane)
        self._asking.forget(lane.lane)
        self._settled(self._outcomes.turned(lane.lane, lane.term, now))
        self._asking.known(lane.lane, self._ahead.get((lane.term, lane.lane), 0), now)

    def _known(self, lane: int, term: int, highest: int, now: float) -> None:
        """The master has sent numbers of the term up to `highest`."""
        here = next((state.term for state in self.inbox.lanes if state.lane == lane), None)
        if here == term:
            self._asking.known(lane, highest, now)
        else:
            self._ahead[term, lane] = max(highest, self._ahead.get((term, lane), 0))

    def _settled(self, outcomes: Sequence[Untold]) -> None:
        """These may leave the journal."""
        if outcomes:
            self._events.append(Settled(tuple(outcomes)))

    def _begin(self, lane: Lane) -> bool:
        """Start a lane, unless it has begun in this term already."""
        if not self.inbox.begin(lane):
            return False
        self._reporter.begin(lane)
        self._asking.forget(lane.lane)
        return True

    def _asked(self, got: Received, beacon: Beacon, to: Address) -> None:
        """A master of this identity listens before it speaks."""
        self._hearing.stranger(got.now)
        verify_beacon(got.data, self._hearing.verifier)
        self._telling.asked(beacon, to, got.now)

    def _join_lanes(self, welcome: Welcome) -> None:
        fresh = False
        for start in welcome.lanes:
            if start.lane in LANES:
                fresh |= self._begin(Lane(start.lane, start.term, start.start, start.chain))
        numbers = (welcome.term, welcome.boot)
        self._hearing.enrolled(Membership((), welcome.index, *numbers, welcome.group_name, told=self._judge.present))
        self._judge.welcomed()
        self._hearing.take_keys(welcome.keys)
        self._reporter.presence = welcome.presence_ms / 1000
        self._events.append(Enrolled(welcome, fresh))

    def _heard(self, now: float) -> None:
        self.heard_at = now
        self._asking.heard()
        if self.enrolled:
            self._reporter.present(now)

    # What it says

    def _tell(self) -> None:
        assert self.pin is not None
        lanes = tuple((lane.lane, lane.term, lane.mark) for lane in self.inbox.lanes)
        epoch = max((epoch for epoch, _ in self.membership.keys), default=0)
        self._upward.send(self._telling.say(self.pin, self._hearing.numbers, epoch, lanes))

    def _report(self, now: float) -> None:
        own = self._upward.next_counter()
        terms = {lane.lane: lane.term for lane in self.inbox.lanes}
        outcomes = self._outcomes.listed(own, terms, now)
        self._upward.say(Kind.REPORT, encode_report(self._reporter.report(own, self.inbox.lanes, outcomes, now)))
        if min(terms.values()) < self.membership.term:
            self._reporter.soon(now, untold_delay(self._waits, self._chance()))
            self._waits += 1
            if self._waits == _REPORTS_BEFORE_HELLO:
                self._joining.soon(now)  # it may not know this node
