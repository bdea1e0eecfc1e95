"""What a node does under one master, and begins anew under another: takes its messages, asks for what lacks, reports,
answers its questions.

Rules
- What is signed is verified before it changes anything. A counter is taken once; messages are known by their number.
- Only what is committed is reported; the slot of a receipt counts from when the message came.
- Until the node has a key, a starting point and an address to answer to, it says nothing.

Here the parts are joined: what becomes of a message is decided in intake.py, how the node gets what lacks in asking.py,
what is reported and when in reporter.py. Whom to trust, and how to come by keys, is the listener's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from netcrier.core.events import Asked, MasterBooted, NodeEvent, Received
from netcrier.core.node.answers import Answers
from netcrier.core.node.asking import Asking
from netcrier.core.node.batch import Batch, Lane
from netcrier.core.node.greeting import Self
from netcrier.core.node.hearing import Hearing
from netcrier.core.node.inbox import Inbox
from netcrier.core.node.intake import Intake
from netcrier.core.node.joining import Joining
from netcrier.core.node.judge import Judge
from netcrier.core.node.kept import Kept
from netcrier.core.node.reporter import Reporter
from netcrier.core.node.upward import Upward
from netcrier.core.pacing import REPORT_AGAIN, Gathering, earliest, receipt_slot, request_delay
from netcrier.core.parity import Parity
from netcrier.core.questions import QuestionId
from netcrier.errors import DecodeError
from netcrier.ids import NodeId
from netcrier.wire.beacon import Marks
from netcrier.wire.block import decode_block
from netcrier.wire.envelope import node_id
from netcrier.wire.fragment import decode_fragment, decode_parity
from netcrier.wire.heard import decode_heard
from netcrier.wire.kinds import Kind
from netcrier.wire.message import decode_message
from netcrier.wire.question import decode_question, encode_answer
from netcrier.wire.signed import Head, content_digest
from netcrier.wire.skip import ANY_NODE, decode_skip
from netcrier.wire.solicit import decode_solicit
from netcrier.wire.turn import decode_turn


class Following:
    """See the module. `chance` gives a float in [0, 1)."""

    def __init__(
        self,
        me: Self,
        hearing: Hearing,
        upward: Upward,
        joining: Joining,
        events: deque[NodeEvent],
        kept: Kept,
        chance: Callable[[], float],
        parity: Parity | None,
    ) -> None:
        self._me, self._hearing, self._upward, self._joining = me, hearing, upward, joining
        self._events, self._chance = events, chance
        self._id: NodeId = node_id(me.key.public)
        self.intake = Intake(kept.lanes, chance, parity)
        self.inbox: Inbox = self.intake.inbox
        self.asking = Asking(self.intake, upward, chance)
        self.reporter = Reporter(kept, upward, events, chance)
        self.answers = Answers(self._id)
        self.judge = Judge(me.name, me.tags, hearing.membership.told)
        self.gathering = Gathering()
        self._ahead: dict[tuple[int, int], int] = {}
        """By term and lane: the highest number that the master has sent, where the lane is not in that term yet."""
        self.readers: Mapping[Kind, Callable[[Received], None]] = {
            Kind.MESSAGE: self._on_message,
            Kind.BLOCK: self._on_block,
            Kind.FRAGMENT: self._on_fragment,
            Kind.PARITY: self._on_parity,
            Kind.SKIP: self._on_skip,
            Kind.SOLICIT: self._on_solicit,
            Kind.HEARD: self._on_heard,
            Kind.TURN: self._on_turn,
            Kind.QUESTION: self._on_question,
        }

    @property
    def enrolled(self) -> bool:
        """Whether the node has a key and a starting point."""
        return self._hearing.epochs.any and self.inbox.begun

    @property
    def _answering(self) -> bool:
        """Whether the node can report: enrolled, and told where the master listens; until then nothing is due."""
        return self.enrolled and self._upward.to is not None

    # What the listener has verified

    def order(self, head: Head, now: float) -> None:
        """Refuse what is replayed; take note of a newer boot."""
        if self._hearing.order(head):
            self._events.append(MasterBooted(head.term, head.boot))
            self.reporter.beacon(0, 0.0)
            self.reporter.soon(now, 0.1 * self._chance())
            self._follow(head.term, now)

    def heard(self, now: float) -> None:
        """Something valid came from the master."""
        self._hearing.heard_at = now
        self.asking.heard()
        if self.enrolled:
            self.reporter.present(now)

    def beacon(self, term: int, marks: Marks, now: float) -> None:
        """How far the master is, how often to report, what time it is there."""
        self.reporter.presence = marks.presence_ms / 1000
        self.judge.beacon(term, marks, now)
        if not self.judge.known:
            self._joining.soon(now)
        for span in marks.lanes:
            self._known(span.lane, term, span.highest, now)
        self.asking.look_behind(self.reporter.presence, now)

    def begin(self, lane: Lane) -> bool:
        """Start a lane, unless it has begun in this term already."""
        if not self.inbox.begin(lane):
            return False
        self.reporter.begin(lane)
        self.asking.forget(lane.lane)
        return True

    # What the shell says

    def committed(self, batch: Batch, now: float, now_us: int) -> None:
        """As `Listener.committed`."""
        for lane in batch.left:
            self.reporter.leave(lane)
        self.intake.committed(batch)
        if batch.left:
            left = {lane.lane for lane in batch.left}
            for lane in batch.lanes:
                if lane.lane in left:
                    self._turned(lane, now)
        for arrival in batch.arrivals:
            message = arrival.message
            slot = receipt_slot(self._id, message.sequence, message.window_us / 1e6)
            waited = (now_us - arrival.received_us) / 1e6 if now_us else 0.0
            # A clock that was set meanwhile: at most the spread is lost.
            self.reporter.soon(now, max(0.0, slot - max(0.0, waited)))
            if arrival.mended and message.window_us / 1e6 <= REPORT_AGAIN:
                self.reporter.twice()
        if not batch.arrivals:  # skips alone
            self.reporter.soon(now, request_delay(self._chance()))
        if batch.untold:
            self.reporter.tell(batch.untold, now)

    def failed(self, batch: Batch, now: float) -> None:
        """As `Listener.failed`."""
        self.intake.failed(batch)
        self.asking.failed(now)

    @property
    def timer(self) -> float | None:
        """When `due` has something to say."""
        if not self._answering:
            return None
        return earliest(self.asking.timer, self.answers.timer, self.reporter.timer)

    def due(self, now: float) -> None:
        """Say what is due."""
        if not self._answering:
            return
        if wanted := self.asking.due(now):
            self._events.append(wanted)
        for answer in self.answers.due(now):
            self._upward.say(Kind.ANSWER, encode_answer(replace(answer, counter=self._upward.next_counter())))
        report_at = self.reporter.timer
        if report_at is not None and report_at <= now:
            unknown = self.reporter.say(self.inbox.lanes, self._hearing.membership.term, now)
            if unknown:
                self._joining.soon(now)

    # What the network brings

    def _on_message(self, got: Received) -> None:
        plaintext = self._hearing.opened(Kind.MESSAGE, got.data)
        message = decode_message(plaintext)
        assert self._hearing.pin
        digest = content_digest(Kind.MESSAGE, self._hearing.pin.group, plaintext)
        self.intake.check(message, digest, got.now)
        self._hearing.said(Kind.MESSAGE, plaintext, message.head)
        self.heard(got.now)
        self.intake.message(self.judge.arrival(message, digest, got.now_us, got.now), got.now)
        self.asking.known(message.lane, message.sequence, got.now)
        if message.blocks:
            self.asking.look_behind(self.reporter.presence, got.now)

    def _on_block(self, got: Received) -> None:
        self.intake.block(decode_block(self._hearing.opened(Kind.BLOCK, got.data)), got.now)

    def _on_fragment(self, got: Received) -> None:
        piece = decode_fragment(self._hearing.opened(Kind.FRAGMENT, got.data))
        self.gathering.piece()
        self.intake.fragment(piece, got.now)

    def _on_parity(self, got: Received) -> None:
        piece = decode_parity(self._hearing.opened(Kind.PARITY, got.data))
        self.gathering.piece()
        self.intake.parity(piece, got.now)

    def _on_skip(self, got: Received) -> None:
        plaintext = self._hearing.opened(Kind.SKIP, got.data)
        skip = decode_skip(plaintext)
        if skip.index not in (ANY_NODE, self._hearing.membership.index):
            raise DecodeError("not for this node")
        self._verified(Kind.SKIP, plaintext, skip.head, got.now)
        self.intake.skip(skip)
        self.asking.known(skip.lane, skip.last, got.now)

    def _on_solicit(self, got: Received) -> None:
        plaintext = self._hearing.opened(Kind.SOLICIT, got.data)
        solicit, index = decode_solicit(plaintext), self._hearing.membership.index
        if index is None or not solicit.asks(index):
            raise DecodeError("not asked")
        self._verified(Kind.SOLICIT, plaintext, solicit.head, got.now)
        self._known(solicit.lane, solicit.head.term, solicit.sequence, got.now)
        self.reporter.soon(got.now, receipt_slot(self._id, solicit.sequence, solicit.window_us / 1e6))

    def _on_heard(self, got: Received) -> None:
        plaintext = self._hearing.opened(Kind.HEARD, got.data)
        heard = decode_heard(plaintext)
        counters = [entry.counter for entry in heard.entries if self._mine(entry.index, entry.boot)]
        if not counters:
            raise DecodeError("not for this node")
        self._verified(Kind.HEARD, plaintext, heard.head, got.now)
        self.reporter.heard(counters, got.now)

    def _on_turn(self, got: Received) -> None:
        plaintext = self._hearing.opened(Kind.TURN, got.data)
        turn = decode_turn(plaintext)
        mark = next((stand.received for stand in turn.stands if self._mine(stand.index, stand.boot)), None)
        if mark is None:
            raise DecodeError("not for this node")
        self._verified(Kind.TURN, plaintext, turn.head, got.now)
        lane = next((lane for lane in self.inbox.lanes if (lane.lane, lane.term) == (turn.lane, turn.term)), None)
        if lane is None:
            return
        self.reporter.answered()
        if lane.mark < turn.last:
            self.asking.known(turn.lane, turn.last, got.now)
            self.asking.look_behind(self.reporter.presence, got.now)
        elif mark == lane.mark and not self.reporter.owes(lane):
            self.inbox.turn(turn.lane, turn.known, turn.following)

    def _on_question(self, got: Received) -> None:
        plaintext = self._hearing.opened(Kind.QUESTION, got.data)
        question = decode_question(plaintext)
        self._hearing.said(Kind.QUESTION, plaintext, question.head)
        if not self.judge.meant(question.selector):
            raise DecodeError("not asked")
        if self.answers.again((question.head.boot, question.head.counter), got.now):
            return
        self.order(question.head, got.now)
        self.heard(got.now)
        identity: QuestionId = self.answers.heard(question, got.now)
        if question.name:
            self._events.append(Asked(identity, question.name, question.body, got.now + question.deadline_ms / 1e3))
        else:
            self.answers.answer(identity, 0, b"", 0, got.now)

    # How it decides

    def _mine(self, index: int, boot: int) -> bool:
        """Whether an entry of what is said to several nodes is for this run of this one."""
        return (index, boot) == (self._hearing.membership.index, self._me.boot)

    def _verified(self, kind: Kind, plaintext: bytes, head: Head, now: float) -> None:
        """The master said this, in this boot, for the first time; DecodeError else."""
        self._hearing.said(kind, plaintext, head)
        self.order(head, now)
        self.heard(now)

    def _follow(self, term: int, now: float) -> None:
        """A new term numbers anew, from 1; a master with an older store may not know this node, so it says hello."""
        self._ahead = {}
        if any(lane.term < term for lane in self.inbox.lanes):
            self.reporter.answered()
            self._joining.later(now + self.reporter.presence * self._chance())

    def _turned(self, lane: Lane, now: float) -> None:
        """All of the earlier term is here, or known to be lost: the lane has begun the next one."""
        self.reporter.turned(lane, now)
        self.asking.forget(lane.lane)
        self.asking.known(lane.lane, self._ahead.get((lane.term, lane.lane), 0), now)

    def _known(self, lane: int, term: int, highest: int, now: float) -> None:
        """The master has sent numbers of the term up to `highest`."""
        here = next((state.term for state in self.inbox.lanes if state.lane == lane), None)
        if here == term:
            self.asking.known(lane, highest, now)
        else:
            self._ahead[term, lane] = max(highest, self._ahead.get((term, lane), 0))
