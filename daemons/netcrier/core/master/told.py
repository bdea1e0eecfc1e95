"""What a report says at the master: first of single messages, then by its marks.

Rules:
- Outcomes go first: a mark speaks of every message that no outcome speaks of.
- A list of outcomes that is as long as it may be can lack some: then a lane's mark is trusted up to the last outcome of
  that lane, and the rest waits for the reports that follow. `handled` does not count: it says nothing of marks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from netcrier.core.delivery import Receipt, State
from netcrier.core.master.deliveries import Deliveries
from netcrier.core.master.outbox import OutLane
from netcrier.core.master.roster import Node
from netcrier.ids import MessageId
from netcrier.wire.limits import OUTCOMES_MAX
from netcrier.wire.report import LaneReport, Outcome, Report, Told

_RUNS = (Told.MISSED, Told.GAP)


def trusted(report: Report, lane: int) -> int | None:
    """Up to which number this report's mark of a lane counts; None without a bound."""
    passing = [outcome for outcome in report.outcomes if outcome.told is not Told.HANDLED]
    if len(passing) < OUTCOMES_MAX:
        return None
    return max((outcome.sequence + _more(outcome) for outcome in passing if outcome.lane == lane), default=0)


class Teller(msgspec.Struct, frozen=True):
    """Turns what a node tells into receipts."""

    deliveries: Deliveries

    def outcomes(
        self, node: Node, report: Report, lane_of: Callable[[int, int], OutLane | None], now: float
    ) -> Iterator[Receipt]:
        """Of single messages, each of the term in which the node has its lane, or of the one that it names; `lane_of`
        gives a term's lane."""
        terms = {lane.lane: lane.term for lane in report.lanes}
        passed: dict[tuple[int, int], int] = {}
        """By term and lane: up to where runs were taken; a node passes each number once."""
        for outcome in report.outcomes:
            term = terms.get(outcome.lane, 0) if outcome.earlier is None else outcome.earlier
            lane = lane_of(term, outcome.lane)
            if lane is None:
                continue
            if outcome.told in _RUNS:
                place = (term, outcome.lane)
                first = max(outcome.sequence, passed.get(place, 0) + 1)
                last = passed[place] = max(min(outcome.sequence + outcome.code, lane.highest), first - 1)
                for sequence in self.deliveries.between(*place, first, last):
                    yield from self._moved(*place, sequence, node.row.index, State(outcome.told), now)
            else:
                yield from self._outcome(term, node.row.index, outcome, lane, now)

    def marks(self, node: Node, report: LaneReport, lane: OutLane, bound: int | None, now: float) -> Iterator[Receipt]:
        """Of all up to the marks, from where the last report ended, or where the node began without a journal."""
        index, beyond = node.row.index, report.received if bound is None else min(report.received, bound)
        for sequence, digest in report.extras:
            if lane.digest_at(sequence) == digest and (bound is None or sequence <= bound):
                yield from self._moved(report.term, lane.lane, sequence, index, State.RECEIVED, now)
        place = (report.term, lane.lane)
        known = max(node.settled.get(place, 0), lane.lowest - 1, node.row.start_of(*place))
        for sequence in self.deliveries.between(*place, known + 1, beyond):
            state = State.DELIVERED if sequence <= report.delivered else State.RECEIVED
            yield from self._moved(*place, sequence, index, state, now)
        node.settled[place] = min(report.delivered, beyond)

    def _outcome(self, term: int, index: int, outcome: Outcome, lane: OutLane, now: float) -> Iterator[Receipt]:
        if outcome.told is Told.RECEIVED:
            found = self.deliveries.stray(MessageId(term, outcome.lane, outcome.sequence), index, now)
            if found:
                yield found
            return
        if outcome.sequence <= lane.highest:
            yield from self._moved(term, outcome.lane, outcome.sequence, index, State(outcome.told), now, outcome.code)

    def _moved(
        self, term: int, lane: int, sequence: int, index: int, state: State, now: float, code: int = 0
    ) -> Iterator[Receipt]:
        identity = MessageId(term, lane, sequence)
        receipt = self.deliveries.move(identity, index, state, now, code)
        if receipt is None and state is State.HANDLED and self.deliveries.get(identity) is None:
            receipt = Receipt(identity, index, state, 0.0, code)  # of an earlier run: the store knows whether it fits
        if receipt:
            yield receipt


def _more(outcome: Outcome) -> int:
    """How many numbers after its own an outcome speaks of."""
    return outcome.code if outcome.told in _RUNS else 0
