"""The node's machine: hears a master, trusts it, collects its messages, asks for what lacks, and reports.

Theory of operation
- Until it is enrolled a node hears beacons, pins the first master (or the one of its token), and says hello.
- Messages go to the inbox; the shell takes a batch (`take_batch`), commits it, appends to its log, and says so
  (`committed`, `delivered`). Only then is a report due, in the node's slot of the receipt window.
- Group keys and their epochs are in epochs.py, asking for one that lacks in renewal.py.
- Every datagram ends as a state change or as a count in `refused`, by reason. Nothing the network brings raises.

"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from netcrier.core.answers import Answers
from netcrier.core.assembly import Assembly
from netcrier.core.catch_up import PROGRESS_WITHIN, Backlog
from netcrier.core.copies import Copies
from netcrier.core.epochs import CONTENT, Epochs
from netcrier.core.events import (
    Address,
    Asked,
    CatchUpWanted,
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
from netcrier.core.gaps import GapRequests
from netcrier.core.greeting import Greeting, Self
from netcrier.core.inbox import Arrival, Batch, Inbox, Lane, Verdict
from netcrier.core.judge import Judge
from netcrier.core.outcomes import Outcomes, Untold
from netcrier.core.pacing import (
    ASKED_WITHIN,
    GATHER_PIECES,
    Budget,
    presence_interval,
    receipt_slot,
    receipt_window,
    renewal_spread,
    request_delay,
)
from netcrier.core.parity import Parity
from netcrier.core.questions import QuestionId
from netcrier.core.renewal import Renewal
from netcrier.core.replay import CounterWindow
from netcrier.core.reply import answer_address
from netcrier.core.telling import Telling
from netcrier.core.upward import Upward
from netcrier.errors import DecodeError, UsageError
from netcrier.ids import LANES, MessageId, NodeId
from netcrier.wire import signed
from netcrier.wire.beacon import Beacon, Marks, decode_beacon, open_marks, verify_beacon
from netcrier.wire.block import decode_block
from netcrier.wire.catch_up import CatchUp, encode_catch_up
from netcrier.wire.envelope import Digest, Verifier, node_id
from netcrier.wire.fetch import Fetch, encode_fetch
from netcrier.wire.fragment import decode_fragment, decode_parity
from netcrier.wire.header import epoch_of, open_down, read_front
from netcrier.wire.heard import decode_heard
from netcrier.wire.hello import Welcome
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import EXTRAS_MAX, STRANGERS_PER_SECOND
from netcrier.wire.message import Message, decode_message
from netcrier.wire.question import decode_question, encode_answer
from netcrier.wire.report import LaneReport, Report, Request, encode_report, encode_request
from netcrier.wire.selector import facts_of, parse_selector
from netcrier.wire.signed import Head
from netcrier.wire.skip import ANY_NODE, decode_skip
from netcrier.wire.solicit import decode_solicit

_VERDICTS = {
    Verdict.KNOWN: "duplicate",
    Verdict.CONFLICT: "conflict",
    Verdict.NO_LANE: "not enrolled",
    Verdict.OTHER_TERM: "other term",
    Verdict.TOO_FAR: "too far ahead",
}
_REPEATED = frozenset({"replayed", "duplicate"})


@dataclass(frozen=True, slots=True)
class Membership:
    """What a node keeps of its group. `keys`: epoch to secret; `term`, `boot`: the highest heard of the master."""

    keys: tuple[tuple[int, bytes], ...] = ()
    index: int | None = None
    term: int = 0
    boot: int = 0
    group_name: str = ""
    told: tuple[tuple[str, str], ...] = ()
    """What the master knows selectors to look at."""


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
    ) -> None:
        self.me = me
        self.id: NodeId = node_id(me.key.public)
        self.membership = membership
        self.inbox = Inbox(lanes)
        self.refused: Counter[str] = Counter()
        self.received = 0
        self.open: bool | None = None
        self.heard_at: float | None = None
        self._chance = chance
        self._gaps = GapRequests(self.inbox, chance)
        self._parity = parity
        self._assembly = self._new_assembly()
        self._delivered = {lane.lane: lane.mark for lane in self.inbox.lanes}
        self._strangers = Budget(STRANGERS_PER_SECOND)
        self._counters = CounterWindow()
        self._copies = Copies()
        self._drops = 0
        self._flowing = False
        self._events: deque[NodeEvent] = deque()
        self._out: list[Datagram] = []
        self._greeting = Greeting(me, chance, entropy)
        self._upward = Upward(me.key, me.boot)
        self._backlog = Backlog(chance)
        self._answers = Answers(self.id)
        self._judge = Judge(me.name, me.tags, membership.told)
        self._outcomes = Outcomes(untold, chance)
        self._telling = Telling(me.key, me.boot, chance)
        self._report_at: float | None = None
        self._presence_at: float | None = None
        self._presence = presence_interval(1)
        self._reply_to: Address | None = None
        self._beacon: tuple[int, float] = (0, 0.0)
        self._epochs = Epochs(membership.keys)
        self._renewal = Renewal(me, chance, entropy)
        self._window = receipt_window(1)
        self.pin: Pin | None = None
        self._verifier: Verifier | None = None
        if pin:
            self._trust(pin)
        self._readers: dict[Kind, Callable[[Received], None]] = {
            Kind.BEACON: self._on_beacon,
            Kind.MESSAGE: self._on_message,
            Kind.SKIP: self._on_skip,
            Kind.SOLICIT: self._on_solicit,
            Kind.HEARD: self._on_heard,
            Kind.WELCOME: self._on_welcome,
            Kind.REKEY: self._on_rekey,
            Kind.QUESTION: self._on_question,
            Kind.BLOCK: self._on_block,
            Kind.FRAGMENT: self._on_fragment,
            Kind.PARITY: self._on_parity,
        }

    # What the shell calls

    @property
    def enrolled(self) -> bool:
        """Whether the node has a key and a starting point."""
        return bool(self._epochs and self.inbox.lanes)

    @property
    def _answering(self) -> bool:
        """Whether the node can report: enrolled, and told where the master listens; until then nothing is due."""
        return self.enrolled and self._reply_to is not None

    @property
    def keyless(self) -> bool:
        """Whether the node lacks the group key in force and several requests for it were for nothing."""
        return self._renewal.unanswered

    @property
    def behind(self) -> int:
        """Messages that the master has sent and that lack here."""
        return sum(self._gaps.behind(lane.lane, lane.mark) for lane in self.inbox.lanes)

    def join(self, pin: Pin, now: float) -> None:
        """Trust another master (a token was given): keys and lanes begin anew unless it is the same group."""
        if not self.pin or self.pin.group != pin.group:
            self.membership = Membership(group_name=pin.group_name)
            self._epochs = Epochs()
            self.inbox = Inbox()
            self._assembly = self._new_assembly()
            self._gaps = GapRequests(self.inbox, self._chance)
            self._delivered = {}
            self._counters = CounterWindow()
            self._judge = Judge(self.me.name, self.me.tags, ())
        self._trust(pin)
        self._renewal.done()
        self._greeting.again(now)

    def receive(self, got: Received) -> None:
        """One datagram from the network."""
        self._epochs.expire(got.now)
        try:
            reader = self._readers.get(read_front(got.data).kind)
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
        flowing, self._flowing = self._flowing, False
        return GATHER_PIECES if flowing else 0.0

    def kernel_drops(self, total: int) -> None:
        """How many datagrams the kernel has dropped so far."""
        self._drops = total

    def take_batch(self) -> Batch | None:
        """What to commit next."""
        return self.inbox.take_batch()

    def committed(self, batch: Batch, now: float, now_us: int = 0) -> None:
        """The batch is on disk: receipts are due. With `now_us` their slots count from when the messages arrived."""
        self.inbox.committed(batch)
        self._assembly.settled((arrival.message.id for arrival in batch.arrivals), self.inbox.lanes)
        self.received += len(batch.arrivals)
        for arrival in batch.arrivals:
            message = arrival.message
            slot = receipt_slot(self.id, message.sequence, message.window_us / 1e6)
            waited = (now_us - arrival.received_us) / 1e6 if now_us else 0.0
            # A clock that was set meanwhile: at most the spread is lost.
            self._report_in(now, max(0.0, slot - max(0.0, waited)))
        if not batch.arrivals:  # skips alone
            self._report_in(now, request_delay(self._chance()))
        if batch.untold:
            self.tell(batch.untold, now)

    def tell(self, found: Iterable[Untold], now: float) -> None:
        """These outcomes are in the journal: the master is told until it has heard them."""
        dropped = self._outcomes.add(found, now)
        if dropped:
            self._events.append(Settled(tuple(dropped)))

    def failed(self, batch: Batch, now: float) -> None:
        """The batch could not be committed; it is asked for again in a second."""
        self.inbox.failed(batch)
        self._assembly.settled((arrival.message.id for arrival in batch.arrivals), self.inbox.lanes)
        self._gaps.hold(now, 1.0)

    def delivered(self, lane: int, sequence: int, now: float) -> None:
        """Everything of the lane up to this number is in the log."""
        if sequence > self._delivered.get(lane, -1):
            self._delivered[lane] = sequence
            self._report_in(now, 0.0 if self._report_at is None else 1.0)

    def catching_up(self, now: float) -> None:
        """The master's connection brings messages: they are not asked for by UDP meanwhile."""
        self._gaps.hold(now, PROGRESS_WITHIN)

    def caught_up(self, now: float, *, progressed: bool) -> None:
        """The connection is gone; what still lacks is asked for by UDP."""
        self._backlog.ended(now, progressed=progressed)
        self._gaps.hold(now, 0.0)

    def answer(self, question: QuestionId, code: int, output: bytes, size: int, now: float) -> None:
        """What became of a question that an Asked event has brought. `size`: bytes of the output before any cut."""
        self._answers.answer(question, code, output, size, now)

    def next_event(self) -> NodeEvent | None:
        """What the shell has to keep or do, in order."""
        return self._events.popleft() if self._events else None

    def datagrams_to_send(self) -> list[Datagram]:
        """And forgets them."""
        out, self._out = self._out, []
        return out

    @property
    def timer(self) -> float | None:
        """When `handle_timer` has something to do."""
        if not self._answering:
            early = (self._greeting.timer, self._renewal.timer, self._telling.timer)
            return min((at for at in early if at is not None), default=None)
        machines = (
            self._greeting,
            self._renewal,
            self._telling,
            self._gaps,
            self._backlog,
            self._answers,
            self._outcomes,
            self._assembly,
        )
        times = (self._report_at, self._presence_at, *(machine.timer for machine in machines))
        return min((at for at in times if at is not None), default=None)

    def handle_timer(self, now: float, now_us: int) -> None:  # noqa: ARG002 - one shape with the master's machine
        """Say what is due."""
        if self._greeting.timer is not None and self._greeting.timer <= now:
            self._say_hello(now)
        if self._renewal.timer is not None and self._renewal.timer <= now:
            self._ask_for_keys(now)
        if self._telling.timer is not None and self._telling.timer <= now:
            self._tell()
        if not self._answering:
            return
        if self._backlog.due(now):
            self._ask_for_backlog(now)
        for lane, ranges in self._gaps.due(now):
            term = next(state.term for state in self.inbox.lanes if state.lane == lane)
            request = Request(self._upward.next_counter(), term, lane, ranges)
            self._say(Kind.REQUEST, encode_request(request))
        for answer in self._answers.due(now):
            self._say(Kind.ANSWER, encode_answer(replace(answer, counter=self._upward.next_counter())))
        if self._assembly.timer is not None and self._assembly.timer <= now:
            self._fetch(now)
        if any(at is not None and at <= now for at in (self._report_at, self._presence_at, self._outcomes.timer)):
            self._report(now)

    # What the network brings

    def _on_beacon(self, got: Received) -> None:
        beacon = decode_beacon(got.data)
        if self.pin is None:
            self._meet(got.data, beacon, got.now)
        verifier = self._ours(beacon)
        answer_to = answer_address(beacon.addresses, beacon.port, got.source)
        if beacon.asking:
            self._asked(got, beacon, answer_to)
            return
        marks = self._marks(got.data, beacon, got.now)
        verify_beacon(got.data, verifier)
        if (beacon.term, beacon.boot) < (self.membership.term, self.membership.boot):
            proof = self._telling.outdated(answer_to, got.now)
            self._out += [proof] if proof else []
        self._order(Head(verifier.master, beacon.term, beacon.boot, beacon.counter), got.now)
        self._telling.heard(got.data)
        self.open = beacon.open
        self._reply_to = answer_to
        self._heard(got.now)
        if not self.inbox.lanes:
            self._greeting.soon(got.now)
            return
        if marks is None:
            self._epochs.drop(beacon.epoch)
            self._renewal.soon(got.now, renewal_spread(self._window))
            return
        self._beacon = (beacon.counter, got.now)
        self._window = marks.window_us / 1e6
        self._hold(beacon.epoch, marks, got.now)
        self._presence = marks.presence_ms / 1000
        self._judge.beacon(marks, got.now)
        if not self._judge.known:
            self._greeting.soon(got.now)
        for span in marks.lanes:
            self._gaps.known(span.lane, span.highest, got.now)
        if self._backlog.behind(self.behind, self._presence, got.now):
            self.catching_up(got.now)

    def _on_message(self, got: Received) -> None:
        pin, verifier, plaintext = self._opened(got.data)
        message = decode_message(plaintext)
        if message.head.master != verifier.master:
            raise DecodeError("other master")
        digest = signed.content_digest(Kind.MESSAGE, pin.group, plaintext)
        verdict = self._verdict(message, digest, got.now)
        if verdict is not Verdict.NEW:
            raise DecodeError(_VERDICTS[verdict])
        signed.verify(Kind.MESSAGE, pin.group, plaintext, verifier)
        self._heard(got.now)
        arrival = self._judge.arrival(message, digest, got.now_us, got.now)
        in_pieces = message.blocks and not arrival.withheld
        self._offer(self._assembly.message(arrival, got.now) if in_pieces else arrival)
        self._gaps.known(message.lane, message.sequence, got.now)

    def _on_block(self, got: Received) -> None:
        block = decode_block(self._opened(got.data)[2])
        self._expect(block.message)
        self._offer(self._assembly.block(block, got.now))

    def _on_fragment(self, got: Received) -> None:
        piece = decode_fragment(self._opened(got.data)[2])
        self._flowing = True
        self._expect(piece.message)
        self._offer(self._assembly.fragment(piece, got.now))

    def _on_parity(self, got: Received) -> None:
        piece = decode_parity(self._opened(got.data)[2])
        self._expect(piece.message)
        self._offer(self._assembly.parity(piece, got.now))

    def _on_skip(self, got: Received) -> None:
        _, _, plaintext = self._opened(got.data)
        skip = decode_skip(plaintext)
        if skip.index not in (ANY_NODE, self.membership.index):
            raise DecodeError("not for this node")
        self._verified(Kind.SKIP, plaintext, skip.head, got.now)
        verdict = self.inbox.skip(skip.head.term, skip)
        if verdict is not Verdict.NEW:
            raise DecodeError(_VERDICTS[verdict])
        self._gaps.known(skip.lane, skip.last, got.now)

    def _on_heard(self, got: Received) -> None:
        _, _, plaintext = self._opened(got.data)
        heard = decode_heard(plaintext)
        ours = (self.membership.index, self.me.boot)
        counters = [entry.counter for entry in heard.entries if (entry.index, entry.boot) == ours]
        if not counters:
            raise DecodeError("not for this node")
        self._verified(Kind.HEARD, plaintext, heard.head, got.now)
        settled = [one for counter in counters for one in self._outcomes.heard(counter, got.now)]
        if settled:
            self._events.append(Settled(tuple(settled)))

    def _on_solicit(self, got: Received) -> None:
        _, _, plaintext = self._opened(got.data)
        solicit = decode_solicit(plaintext)
        if self.membership.index is None or not solicit.asks(self.membership.index):
            raise DecodeError("not asked")
        self._verified(Kind.SOLICIT, plaintext, solicit.head, got.now)
        self._gaps.known(solicit.lane, solicit.sequence, got.now)
        self._report_in(got.now, receipt_slot(self.id, solicit.sequence, solicit.window_us / 1e6))

    def _on_welcome(self, got: Received) -> None:
        answer = self._greeting.addressed(got.data, self.pin)
        if not self._strangers.spend(got.now):
            raise DecodeError("too many strangers")
        assert self._verifier is not None
        welcome = self._greeting.read(answer, self._verifier)
        if (welcome.term, welcome.boot) < (self.membership.term, self.membership.boot):
            raise DecodeError("old boot")
        self._greeting.done()
        self._join_lanes(welcome)
        self._heard(got.now)
        self._report_in(got.now, 0.0)

    def _on_rekey(self, got: Received) -> None:
        answer = self._renewal.addressed(got.data, self.pin)
        if not self._strangers.spend(got.now):
            raise DecodeError("too many strangers")
        assert self._verifier is not None
        rekey = self._renewal.read(answer, self._verifier)
        if (rekey.term, rekey.boot) < (self.membership.term, self.membership.boot):
            raise DecodeError("old boot")
        self._renewal.done()
        self._take_keys(rekey.keys)
        self._events.append(KeysRenewed(self._epochs.newest))
        self._heard(got.now)

    def _on_question(self, got: Received) -> None:
        pin, verifier, plaintext = self._opened(got.data)
        question = decode_question(plaintext)
        signed.verify(Kind.QUESTION, pin.group, plaintext, verifier)
        if not self._meant(question.selector):
            raise DecodeError("not asked")
        if question.head.master != verifier.master:
            raise DecodeError("other master")
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

    def _ours(self, beacon: Beacon) -> Verifier:
        """What verifies a beacon of the master that this node trusts; DecodeError for another's."""
        assert self.pin is not None
        assert self._verifier is not None
        if beacon.group != self.pin.group:
            raise DecodeError("other group")
        if beacon.signing_key != self.pin.signing_key:
            raise DecodeError("other master")
        return self._verifier

    def _meet(self, data: bytes, beacon: Beacon, now: float) -> None:
        """First use: trust the first master whose beacon holds."""
        if not self._strangers.spend(now):
            raise DecodeError("too many strangers")
        verify_beacon(data, Verifier(beacon.signing_key))
        self.me.key.agree(beacon.agreement_key)  # a key of low order would fail at every hello
        pin = Pin(beacon.group, beacon.signing_key, beacon.agreement_key, "", "first-use")
        self._trust(pin)
        self._events.append(Pinned(pin))

    def _meant(self, selector: str) -> bool:
        """Whether this node's name and tags match; DecodeError where the selector is none."""
        try:
            return parse_selector(selector).holds(facts_of(self.me.name, self.me.tags))
        except UsageError as error:
            raise DecodeError("malformed", str(error)) from None

    def _marks(self, data: bytes, beacon: Beacon, now: float) -> Marks | None:
        """The sealed half of a beacon; None where its key is not here yet, within the strangers' budget.

        A seal that does not open may be a forgery, or the work of a master that has taken over from an old copy of its
        store and made another key of this number: the signature tells.
        """
        if beacon.term <= self.membership.term:
            self._epochs.not_before(beacon.epoch)
        if beacon.epoch in self._epochs:
            try:
                return open_marks(data, self._epochs.seals)
            except DecodeError as error:
                if error.reason != "bad seal" or not self._strangers.spend(now):
                    raise
        elif not self._strangers.spend(now):
            raise DecodeError("too many strangers")
        return None

    def _hold(self, epoch: int, marks: Marks, now: float) -> None:
        """A beacon of this epoch was opened: its key is the current one; another may be announced."""
        if self._epochs.opened(epoch, now):
            self.membership = replace(self.membership, keys=self._epochs.kept)
            self._events.append(KeysRenewed(epoch))
            self._report_in(now, renewal_spread(self._window) * self._chance())
        if marks.next_epoch and marks.next_epoch not in self._epochs:
            self._renewal.soon(now, ASKED_WITHIN * marks.next_in_ms / 1000)

    def _take_keys(self, keys: tuple[tuple[int, bytes], ...]) -> None:
        """What the master has given replaces all keys."""
        self._epochs = Epochs(keys)
        self.membership = replace(self.membership, keys=keys)

    def _verdict(self, message: Message, digest: Digest, now: float) -> Verdict:
        """As `Inbox.check`, also for a message that is being put together."""
        known = self._assembly.digest_of(message.id)
        if known is not None:
            self._assembly.ended(message.id, now)
            return Verdict.KNOWN if known == digest else Verdict.CONFLICT
        verdict = self.inbox.check(message.id, digest)
        if verdict is Verdict.NEW and message.blocks and not self.inbox.takes(message.id):
            return Verdict.TOO_FAR
        return verdict

    def _expect(self, message: MessageId) -> None:
        """Refuse pieces of what is here or too far ahead."""
        if not self._assembly.has(message) and not self.inbox.takes(message):
            raise DecodeError("duplicate")

    def _offer(self, arrival: Arrival | None) -> None:
        if arrival is None:
            return
        if self.inbox.check(arrival.message.id, arrival.digest) is Verdict.NEW:
            self.inbox.offer(arrival)
        else:  # skipped while its pieces came
            self._assembly.settled([arrival.message.id], self.inbox.lanes)

    def _new_assembly(self) -> Assembly:
        assembly = Assembly(self._chance, self._parity)
        self.inbox.coming = assembly.coming
        return assembly

    def _order(self, head: Head, now: float) -> None:
        """Refuse what is replayed; take note of a newer boot."""
        known = (self.membership.term, self.membership.boot)
        if (head.term, head.boot) < known:
            raise DecodeError("old boot")
        if (head.term, head.boot) > known:
            self.membership = replace(self.membership, term=head.term, boot=head.boot)
            self._events.append(MasterBooted(head.term, head.boot))
            self._counters = CounterWindow()
            self._beacon = (0, 0.0)  # beacons are counted anew
            self._report_in(now, 0.1 * self._chance())
            self._follow(head.term, now)
        if not self._counters.accept(head.counter):
            raise DecodeError("replayed")

    def _verified(self, kind: Kind, plaintext: bytes, head: Head, now: float) -> None:
        """The master said this, in this boot, for the first time; DecodeError else."""
        assert self.pin
        assert self._verifier
        signed.verify(kind, self.pin.group, plaintext, self._verifier)
        if head.master != self._verifier.master:
            raise DecodeError("other master")
        self._order(head, now)
        self._heard(now)

    def _follow(self, term: int, now: float) -> None:
        """A new term numbers anew, from 1; a master with an older store may not know this node, so it says hello."""
        old = [lane.lane for lane in self.inbox.lanes if lane.term < term]
        for lane in old:
            self._begin(Lane(lane, term, 0))
        if old:
            self._greeting.later(now + self._presence * self._chance())

    def _begin(self, lane: Lane) -> bool:
        """Start a lane, unless it has begun in this term already."""
        if not self.inbox.begin(lane):
            return False
        self._delivered[lane.lane] = lane.mark
        self._gaps.forget(lane.lane)
        return True

    def _asked(self, got: Received, beacon: Beacon, to: Address) -> None:
        """A master of this identity listens before it speaks."""
        if not self._strangers.spend(got.now):
            raise DecodeError("too many strangers")
        assert self._verifier is not None
        verify_beacon(got.data, self._verifier)
        self._telling.asked(beacon, to, got.now)

    def _join_lanes(self, welcome: Welcome) -> None:
        fresh = False
        for start in welcome.lanes:
            if start.lane in LANES:
                fresh |= self._begin(Lane(start.lane, start.term, start.start, start.chain))
        newer = (welcome.term, welcome.boot) > (self.membership.term, self.membership.boot)
        if newer:
            self._counters = CounterWindow()
        self.membership = Membership(
            (), welcome.index, welcome.term, welcome.boot, welcome.group_name, told=self._judge.present
        )
        self._judge.welcomed()
        self._take_keys(welcome.keys)
        self._renewal.done()
        self._presence = welcome.presence_ms / 1000
        self._events.append(Enrolled(welcome, fresh))

    def _opened(self, data: bytes) -> tuple[Pin, Verifier, bytes]:
        if self.pin is None or self._verifier is None:
            raise DecodeError("not enrolled")
        front = read_front(data)
        if front.group != self.pin.group:
            raise DecodeError("other group")
        if front.kind not in CONTENT:
            self._epochs.not_before(epoch_of(data))
        return self.pin, self._verifier, open_down(data, self._epochs.seals)

    def _trust(self, pin: Pin) -> None:
        self.pin = pin
        self._verifier = Verifier(pin.signing_key)
        self._upward.trust(pin)

    def _heard(self, now: float) -> None:
        self.heard_at = now
        self._gaps.heard()
        if self.enrolled and self._presence_at is None:
            self._presence_at = now + self._presence * self._chance()

    # What it says

    def _report_in(self, now: float, delay: float) -> None:
        at = now + delay
        if self._report_at is None or at < self._report_at:
            self._report_at = at

    def _ask_for_backlog(self, now: float) -> None:
        lanes = tuple((lane.lane, lane.term, lane.mark) for lane in self.inbox.lanes)
        ask = encode_catch_up(CatchUp(self._upward.next_counter(), lanes))
        numbers = (self.membership.term, self.membership.boot)
        assert self._reply_to is not None
        self._events.append(CatchUpWanted(self._reply_to, self._upward.seal(Kind.CATCH_UP, ask, numbers)))
        self.catching_up(now)

    def _tell(self) -> None:
        assert self.pin is not None
        membership = self.membership
        lanes = tuple((lane.lane, lane.term, lane.mark) for lane in self.inbox.lanes)
        epoch = max((epoch for epoch, _ in membership.keys), default=0)
        self._out.append(self._telling.say(self.pin, (membership.term, membership.boot), epoch, lanes))

    def _say_hello(self, now: float) -> None:
        if self.pin is None or self._reply_to is None:
            self._greeting.timer = None  # the next beacon says where to
            return
        self._out.append(Datagram(self._greeting.say(self.pin, self.inbox.lanes, now), self._reply_to))

    def _ask_for_keys(self, now: float) -> None:
        if self.pin is None or self._reply_to is None or not self.inbox.lanes:
            self._renewal.done()
            return
        self._say(Kind.RENEW, self._renewal.ask(self.pin, self._upward.next_counter(), self._epochs.newest, now))
        if self._renewal.unanswered:
            self._greeting.soon(now)

    def _say(self, kind: Kind, plaintext: bytes) -> None:
        numbers = (self.membership.term, self.membership.boot)
        self._out.append(Datagram(self._upward.seal(kind, plaintext, numbers), self._reply_to))

    def _fetch(self, now: float) -> None:
        for message, lacks in self._assembly.due(now):
            fetch = Fetch(self._upward.next_counter(), message, self._assembly.parity_of_use, lacks)
            self._say(Kind.FETCH, encode_fetch(fetch))

    def _report(self, now: float) -> None:
        states = self.inbox.lanes
        most = EXTRAS_MAX // max(1, len(states))  # all lanes share one datagram
        own = self._upward.next_counter()
        outcomes = self._outcomes.listed(own, self.membership.term, now)
        lanes = tuple(
            LaneReport(lane.lane, lane.term, lane.mark, self._delivered.get(lane.lane, 0), lane.chain, extras[:most])
            for lane, extras in ((state, state.extras) for state in states)
        )
        counter, at = self._beacon
        held = min(int((now - at) * 1e6), 2**32 - 1)
        report = Report(own, lanes, counter, held, min(self._drops, 2**32 - 1), outcomes)
        self._say(Kind.REPORT, encode_report(report))
        self._report_at = None
        self._presence_at = now + self._presence * (0.7 + 0.2 * self._chance())
