"""A node's reports: when the next is due, and what it says of lanes, single messages, beacon and kernel.

A lane in an earlier term than the master's waits for a turn; reports ask for it, and where several do for nothing, the
master may not know this node.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from netcrier.core.events import LeftTold, NodeEvent, Settled
from netcrier.core.node.batch import Lane
from netcrier.core.node.kept import Kept
from netcrier.core.node.left import Left
from netcrier.core.node.upward import Upward
from netcrier.core.outcomes import Outcomes, Untold
from netcrier.core.pacing import REPORT_AGAIN, earliest, presence_interval, untold_delay
from netcrier.ids import MessageId
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import EXTRAS_MAX, LANES_MAX
from netcrier.wire.report import LaneReport, Outcome, Report, encode_report

_MOST: Final = 2**32 - 1
_REPORTS_BEFORE_HELLO: Final = 4


class Reporter:
    """See the module. `chance` gives a float in [0, 1); what may leave the journal becomes a Settled event."""

    def __init__(self, kept: Kept, upward: Upward, events: deque[NodeEvent], chance: Callable[[], float]) -> None:
        self._upward, self._events, self._chance = upward, events, chance
        self._delivered = {lane.lane: (lane.term, lane.mark if kept.logged else 0) for lane in kept.lanes}
        self._outcomes = Outcomes(kept.untold, chance)
        self._left = Left(kept.left, kept.logged)
        self._at: float | None = None
        self._again_at: float | None = None
        self._twice = False
        self._presence_at: float | None = None
        self._beacon: tuple[int, float] = (0, 0.0)
        self._waits = 0
        """Reports of an earlier term that no turn has answered."""
        self.presence = presence_interval(1)
        """Seconds between two reports, at most."""
        self.drops = 0
        """Datagrams that the kernel has dropped, in all."""
        for lane in kept.lanes:
            self._settled(self._outcomes.turned(lane.lane, lane.term, 0.0))

    @property
    def pending(self) -> bool:
        """Whether a report is due for a reason of its own, not for presence alone."""
        return self._at is not None

    @property
    def timer(self) -> float | None:
        """When the next report is due."""
        return earliest(self._at, self._again_at, self._presence_at, self._outcomes.timer)

    def soon(self, now: float, delay: float) -> None:
        """Report within `delay` seconds."""
        at = now + delay
        if self._at is None or at < self._at:
            self._at = at

    def twice(self) -> None:
        """Datagrams are being lost: the next report is said again soon, unless another follows it."""
        self._twice = True

    def present(self, now: float) -> None:
        """The master is heard: show presence from now on."""
        if self._presence_at is None:
            self._presence_at = now + self.presence * self._chance()

    def beacon(self, counter: int, now: float) -> None:
        """The newest beacon that was opened; counter 0: they are counted anew."""
        self._beacon = (counter, now)

    def leave(self, lane: Lane) -> None:
        """A lane leaves its term, as it is."""
        if self._delivered[lane.lane] < (lane.term, lane.mark):
            self._left.add(lane)

    def begin(self, lane: Lane) -> None:
        """A lane starts here."""
        self._delivered[lane.lane] = (lane.term, lane.mark)

    def turned(self, lane: Lane, now: float) -> None:
        """A lane has left its term and starts here in another."""
        self.begin(lane)
        self._settled(self._outcomes.turned(lane.lane, lane.term, now))

    def answered(self) -> None:
        """The master has said how it stands with the term, or begun another: reports wait for a turn anew."""
        self._waits = 0

    def delivered(self, message: MessageId, now: float) -> None:
        """Everything of the lane up to this message is in the log: that is told soon; of a term that is over, once it
        is all of it."""
        term, sequence = self._delivered.get(message.lane, (message.term, -1))
        further = message.term == term and message.sequence > sequence
        if further:
            self._delivered[message.lane] = (term, message.sequence)
        if further or self._left.logged(message):
            self.soon(now, 1.0 if self.pending else 0.0)

    def all_delivered(self, lanes: Iterable[Lane], now: float) -> None:
        """The log has all of the journal: refused and skipped numbers, up to the lanes' marks, leave no line."""
        for lane in (*self._left.lanes, *lanes):
            if self._delivered.get(lane.lane) != (lane.term, lane.mark):
                self.delivered(MessageId(lane.term, lane.lane, lane.mark), now)

    def tell(self, found: Iterable[Untold], now: float) -> None:
        """These outcomes are in the journal: the master is told until it has heard them."""
        self._settled(self._outcomes.add(found, now))

    def heard(self, counters: Iterable[int], now: float) -> None:
        """The master has committed what these reports list."""
        for counter in counters:
            self._settled(self._outcomes.heard(counter, now))
            self._events.extend(LeftTold(*place) for place in self._left.heard(counter))

    def owes(self, lane: Lane) -> bool:
        """Whether the master has to hear more of the lane's term than what handlers have returned."""
        return self._outcomes.owes(lane.lane, lane.term)

    def say(self, lanes: tuple[Lane, ...], term: int, now: float) -> bool:
        """Report; the next is due for presence, or for a turn, where the master is in another `term`. True where it
        has given none for long."""
        own = self._upward.next_counter()
        terms = {lane.lane: lane.term for lane in lanes}
        outcomes = self._outcomes.listed(own, terms, now)
        self._upward.say(Kind.REPORT, encode_report(self.report(own, lanes, outcomes, now)))
        if min(terms.values()) >= term:
            return False
        self.soon(now, untold_delay(self._waits, self._chance()))
        self._waits += 1
        return self._waits == _REPORTS_BEFORE_HELLO

    def report(self, counter: int, states: tuple[Lane, ...], outcomes: tuple[Outcome, ...], now: float) -> Report:
        """What to say now; the next is due for presence."""
        most = EXTRAS_MAX // max(1, len(states))  # all lanes share one datagram
        delivered = self._delivered
        lanes = self._left.listed(counter, LANES_MAX - len(states))
        lanes += [
            LaneReport(lane.lane, lane.term, lane.mark, delivered[lane.lane][1], lane.chain, lane.extras[:most])
            for lane in states
        ]
        heard, at = self._beacon
        held = min(int((now - at) * 1e6), _MOST)
        self._at = None
        self._again_at, self._twice = (now + REPORT_AGAIN if self._twice else None), False
        self._presence_at = now + self.presence * (0.7 + 0.2 * self._chance())
        return Report(counter, tuple(lanes), heard, held, min(self.drops, _MOST), outcomes)

    def _settled(self, outcomes: Sequence[Untold]) -> None:
        """These may leave the journal."""
        if outcomes:
            self._events.append(Settled(tuple(outcomes)))
