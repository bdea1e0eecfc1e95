"""The node's machine: hears a master, trusts it, collects its messages, asks for what lacks, and reports.

Theory of operation
- Until it is enrolled a node hears beacons, pins the first master (or the one of its token), and says hello.
- Messages go to the inbox; the shell takes a batch (`take_batch`), commits it, appends to its log, and says so
  (`committed`, `delivered`). Only then is a report due, in the node's slot of the receipt window.
- Here is what the shell calls, and what makes the node a member: beacons, welcomes, keys. Whether the master has said
  something is decided in hearing.py, how the node comes by keys in joining.py; all else under one master is in
  following.py; what the node says leaves by upward.py.
- Every datagram ends as a state change or as a count in `refused`, by reason. Nothing the network brings raises.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable

from netcrier.core.events import Address, Datagram, Enrolled, KeysRenewed, NodeEvent, Pin, Pinned, Received
from netcrier.core.node.batch import Batch, Lane
from netcrier.core.node.copies import Copies
from netcrier.core.node.following import Following
from netcrier.core.node.greeting import Self
from netcrier.core.node.hearing import Hearing, Membership
from netcrier.core.node.inbox import Inbox
from netcrier.core.node.joining import Joining
from netcrier.core.node.kept import Kept
from netcrier.core.node.reply import answer_address
from netcrier.core.node.telling import Telling
from netcrier.core.node.upward import Upward
from netcrier.core.outcomes import Untold
from netcrier.core.pacing import ASKED_WITHIN, earliest, receipt_window, renewal_spread
from netcrier.core.parity import Parity
from netcrier.core.questions import QuestionId
from netcrier.errors import DecodeError
from netcrier.ids import LANES, MasterId, MessageId, NodeId
from netcrier.wire.beacon import Beacon, Marks, decode_beacon, verify_beacon
from netcrier.wire.envelope import node_id
from netcrier.wire.header import read_kind
from netcrier.wire.hello import Welcome
from netcrier.wire.kinds import Kind
from netcrier.wire.signed import Head

_REPEATED = frozenset({"replayed", "duplicate"})


class Listener:
    """See the module. `chance` gives a float in [0, 1), `entropy(n)` n random bytes."""

    def __init__(
        self,
        me: Self,
        pin: Pin | None,
        kept: Kept,
        chance: Callable[[], float],
        entropy: Callable[[int], bytes],
        parity: Parity | None = None,
    ) -> None:
        self.me = me
        self.id: NodeId = node_id(me.key.public)
        self.refused: Counter[str] = Counter()
        self.received = 0
        self.open: bool | None = None
        self._chance, self._parity = chance, parity
        self._hearing = Hearing(kept.membership)
        self._upward = Upward(me.key, me.boot, self._hearing)
        self._copies = Copies()
        self._events: deque[NodeEvent] = deque()
        self._joining = Joining(me, self._hearing, self._upward, chance, entropy)
        self._telling = Telling(me.key, me.boot, chance)
        self._window = receipt_window(1)
        self._follow(kept)
        if pin:
            self._hearing.trust(pin)

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
    def heard_at(self) -> float | None:
        """When it was heard last, in this run."""
        return self._hearing.heard_at

    @property
    def membership(self) -> Membership:
        """What is to be kept of the group."""
        return self._hearing.membership

    @property
    def inbox(self) -> Inbox:
        """What the node has."""
        return self._following.inbox

    @property
    def enrolled(self) -> bool:
        """Whether the node has a key and a starting point."""
        return self._following.enrolled

    @property
    def keyless(self) -> bool:
        """Whether the node lacks the group key in force and several requests for it were for nothing."""
        return self._joining.unanswered

    @property
    def behind(self) -> int:
        """Messages that the master has sent and that lack here."""
        return self._following.asking.behind

    def join(self, pin: Pin, now: float, kept: Kept) -> None:
        """Trust another master (a token was given). Of another group all goes on as the node has left it, if it was
        there before; where the group is the same, `kept` is not looked at."""
        if self._hearing.trust(pin):
            self._hearing.anew(kept.membership, pin.group_name)
            self._follow(kept)
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
        return self._following.gathering.pause()

    def kernel_drops(self, total: int) -> None:
        """How many datagrams the kernel has dropped so far."""
        self._following.reporter.drops = total

    def take_batch(self) -> Batch | None:
        """What to commit next."""
        return self._following.inbox.take_batch()

    def committed(self, batch: Batch, now: float, now_us: int = 0) -> None:
        """The batch is on disk: receipts are due. With `now_us` their slots count from when the messages arrived."""
        self.received += len(batch.arrivals)
        self._following.committed(batch, now, now_us)

    def tell(self, found: Iterable[Untold], now: float) -> None:
        """These outcomes are in the journal: the master is told until it has heard them."""
        self._following.reporter.tell(found, now)

    def failed(self, batch: Batch, now: float) -> None:
        """The batch could not be committed; it is asked for again in a second."""
        self._following.failed(batch, now)

    def delivered(self, message: MessageId, now: float, master: MasterId | None = None) -> None:
        """Everything of the lane up to this message is in the log; `master`: whose it is, where it may be another's."""
        if master is None or (self.pin is not None and master == self.master):
            self._following.reporter.delivered(message, now)

    def all_delivered(self, now: float) -> None:
        """The log has all that the journal has."""
        self._following.reporter.all_delivered(self.inbox.lanes, now)

    def catching_up(self, now: float) -> None:
        """The master's connection brings messages: they are not asked for by UDP meanwhile."""
        self._following.asking.catching_up(now)

    def caught_up(self, now: float, *, progressed: bool) -> None:
        """The connection is gone; what still lacks is asked for by UDP."""
        self._following.asking.caught_up(now, progressed=progressed)

    def answer(self, question: QuestionId, code: int, output: bytes, size: int, now: float) -> None:
        """What became of a question that an Asked event has brought. `size`: bytes of the output before any cut."""
        self._following.answers.answer(question, code, output, size, now)

    def next_event(self) -> NodeEvent | None:
        """What the shell has to keep or do, in order."""
        return self._events.popleft() if self._events else None

    def datagrams_to_send(self) -> list[Datagram]:
        """And forgets them."""
        return self._upward.take()

    @property
    def timer(self) -> float | None:
        """When `handle_timer` has something to do."""
        return earliest(self._joining.timer, self._telling.timer, self._following.timer)

    def handle_timer(self, now: float, now_us: int) -> None:  # noqa: ARG002 - one shape with the master's machine
        """Say what is due."""
        self._joining.due(self.inbox.lanes, now)
        if self._telling.timer is not None and self._telling.timer <= now:
            self._tell()
        self._following.due(now)

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
        self._following.order(Head(verifier.master, beacon.term, beacon.boot, beacon.counter), got.now)
        self._telling.heard(got.data)
        self.open = beacon.open
        self._upward.to = answer_to
        self._following.heard(got.now)
        if not self.inbox.lanes:
            self._joining.soon(got.now)
            return
        if marks is None:
            self._hearing.epochs.drop(beacon.epoch)
            self._joining.ask_for_key(renewal_spread(self._window), got.now)
            return
        self._following.reporter.beacon(beacon.counter, got.now)
        self._window = marks.window_us / 1e6
        self._hold(beacon.epoch, marks, got.now)
        self._following.beacon(beacon.term, marks, got.now)

    def _on_welcome(self, got: Received) -> None:
        welcome = self._joining.welcome(got)
        self._enter(welcome)
        self._following.heard(got.now)
        self._following.reporter.soon(got.now, 0.0)

    def _on_rekey(self, got: Received) -> None:
        self._joining.rekey(got)
        self._events.append(KeysRenewed(self._hearing.epochs.newest))
        self._following.heard(got.now)

    # How it decides

    def _follow(self, kept: Kept) -> None:
        """A master, from where the journal has it."""
        self._following = Following(
            self.me, self._hearing, self._upward, self._joining, self._events, kept, self._chance, self._parity
        )
        self._readers: dict[Kind, Callable[[Received], None]] = {
            **self._following.readers,
            Kind.BEACON: self._on_beacon,
            Kind.WELCOME: self._on_welcome,
            Kind.REKEY: self._on_rekey,
        }

    def _asked(self, got: Received, beacon: Beacon, to: Address) -> None:
        """A master of this identity listens before it speaks."""
        self._hearing.stranger(got.now)
        verify_beacon(got.data, self._hearing.verifier)
        self._telling.asked(beacon, to, got.now)

    def _hold(self, epoch: int, marks: Marks, now: float) -> None:
        """A beacon of this epoch was opened: its key is the current one; another may be announced."""
        if self._hearing.epoch_opened(epoch, now):
            self._events.append(KeysRenewed(epoch))
            self._following.reporter.soon(now, renewal_spread(self._window) * self._chance())
        if marks.next_epoch and marks.next_epoch not in self._hearing.epochs:
            self._joining.ask_for_key(ASKED_WITHIN * marks.next_in_ms / 1000, now)

    def _enter(self, welcome: Welcome) -> None:
        """The master has let the node in."""
        following, fresh = self._following, False
        for start in welcome.lanes:
            if start.lane in LANES:
                fresh |= following.begin(Lane(start.lane, start.term, start.start, start.chain))
        numbers = (welcome.term, welcome.boot)
        self._hearing.enrolled(
            Membership((), welcome.index, *numbers, welcome.group_name, told=following.judge.present)
        )  # fmt: skip
        following.judge.welcomed()
        self._hearing.take_keys(welcome.keys)
        following.reporter.presence = welcome.presence_ms / 1000
        self._events.append(Enrolled(welcome, fresh))

    # What it says

    def _tell(self) -> None:
        assert self.pin is not None
        lanes = tuple((lane.lane, lane.term, lane.mark) for lane in self.inbox.lanes)
        epoch = max((epoch for epoch, _ in self.membership.keys), default=0)
        self._upward.send(self._telling.say(self.pin, self._hearing.numbers, epoch, lanes))
