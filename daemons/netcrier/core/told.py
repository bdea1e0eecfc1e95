"""What a report says at the master: first of single messages, then by its marks.

Rules:
- Outcomes go first: a mark speaks of every message that no outcome speaks of.
- A list of outcomes that is as long as it may be can lack some: then a lane's mark is trusted up to the last outcome of
  that lane, and the rest waits for the reports that follow. `handled` does not count: it says nothing of marks.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from netcrier.core.deliveries import Deliveries
from netcrier.core.delivery import Receipt, State
from netcrier.core.outbox import OutLane
from netcrier.core.roster import Node
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
    """Turns what a node tells into receipts; `term` is the master's."""

    deliveries: Deliveries
    term: int

    def outcomes(self, node: Node, report: Report, lanes: dict[int, OutLane], now: float) -> Iterator[Receipt]:
        """Of single messages. Those of a lane that the node has in another term say nothing here."""
        current = {lane.lane for lane in report.lanes if lane.term == self.term}
        for outcome in report.outcomes:
            if outcome.lane in current and outcome.lane in lanes:
                yield from self._outcome(node.row.index, outcome, lanes[outcome.lane], now)

    def marks(self, node: Node, report: LaneReport, lane: OutLane, bound: int | None, now: float) -> Iterator[Receipt]:
        """Of all up to the marks, from where the last report ended."""
        index, beyond = node.row.index, report.received if bound is None else min(report.received, bound)
        for sequence, digest in report.extras:
            if lane.digest_at(sequence) == digest and (bound is None or sequence <= bound):
                yield from self._moved(lane.lane, sequence, index, State.RECEIVED, now)
        known = max(node.settled.get(lane.lane, 0), lane.lowest - 1)
        for sequence in range(known + 1, beyond + 1):
            state = State.DELIVERED if sequence <= report.delivered else State.RECEIVED
            yield from self._moved(lane.lane, sequence, index, state, now)
        node.settled[lane.lane] = min(report.delivered, beyond)

    def _outcome(self, index: int, outcome: Outcome, lane: OutLane, now: float) -> Iterator[Receipt]:
        if outcome.told is Told.RECEIVED:
            found = self.deliveries.stray(MessageId(self.term, outcome.lane, outcome.sequence), index, now)
            if found:
                yield found
            return
        code = 0 if outcome.told in _RUNS else outcome.code
        last = min(outcome.sequence + _more(outcome), lane.highest)
        for sequence in range(outcome.sequence, last + 1):
            yield from self._moved(outcome.lane, sequence, index, State(outcome.told), now, code)

    def _moved(
        self, lane: int, sequence: int, index: int, state: State, now: float, code: int = 0
    ) -> Iterator[Receipt]:
        identity = MessageId(self.term, lane, sequence)
        receipt = self.deliveries.move(identity, index, state, now, code)
        if receipt is None and state is State.HANDLED and self.deliveries.get(identity) is None:
            receipt = Receipt(identity, index, state, 0.0, code)  # of an earlier run: the store knows whether it fits
        if receipt:
            yield receipt


def _more(outcome: Outcome) -> int:
    """How many numbers after its own an outcome speaks of."""
    return outcome.code if outcome.told in _RUNS else 0
