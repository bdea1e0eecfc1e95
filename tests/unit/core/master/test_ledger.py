"""What reports tell at the master: nothing of it stays untold, however often the same is said."""

from __future__ import annotations

from collections import Counter, deque

import pytest
from msgspec.structs import replace
from netcrier.core.delivery import Delivery, Receipt, State
from netcrier.core.events import MasterEvent, NodeRow
from netcrier.core.master import deliveries
from netcrier.core.master.deliveries import Deliveries
from netcrier.core.master.ledger import Ledger
from netcrier.core.master.outbox import OutLane
from netcrier.core.master.past import Past
from netcrier.core.master.roster import Node
from netcrier.ids import MessageId, NodeId
from netcrier.wire.envelope import NO_CHAIN, digest
from netcrier.wire.limits import OUTCOMES_MAX
from netcrier.wire.report import LaneReport, Outcome, Report, Told

ROW = NodeRow(4, NodeId(bytes(16)), bytes(32), "n", bytes(16), (), "token", True, 7, "", 0, ())


class Counting(Deliveries):
    """Counts what is looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    def move(self, identity: MessageId, index: int, state: State, now: float, code: int = 0) -> Receipt | None:
        self.looks += 1
        return super().move(identity, index, state, now, code)


def test_no_report_costs_more_than_what_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "REMEMBERED", 50)
    lane, counting = OutLane(0), Counting()
    for sequence in range(1, 1001):
        lane.append(digest(b"%d" % sequence))
        counting.track(Delivery(MessageId(1, 0, sequence), (4,), 0.0))
    ledger = Ledger(1, {0: lane}, Past(1, {}, ()), counting, Counter(), deque())
    node = Node(ROW, bytes(32))
    gaps = tuple(Outcome(0, sequence, Told.GAP, 0xFFFF) for sequence in range(1, OUTCOMES_MAX + 1))
    logs_nothing = LaneReport(0, 1, 1000, 0, lane.chains[-1])
    for counter in range(1, 6):
        counting.looks = 0
        ledger.report(node, Report(counter, (logs_nothing,), 0, 0, outcomes=gaps), 1.0)
        assert counting.looks <= 2 * (50 + OUTCOMES_MAX)
    last = counting.get(MessageId(1, 0, 1000))
    assert last
    assert last.states[4] is State.GAP


def test_what_a_full_list_of_outcomes_kept_back_is_told_by_the_next_report() -> None:
    known = Deliveries()
    lanes = {0: OutLane(0), 1: OutLane(1)}
    for lane, count in ((0, OUTCOMES_MAX), (1, 2)):
        for sequence in range(1, count + 1):
            lanes[lane].append(digest(b"%d" % sequence))
            known.track(Delivery(MessageId(1, lane, sequence), (4,), 0.0))
    events: deque[MasterEvent] = deque()
    ledger = Ledger(1, lanes, Past(1, {}, ()), known, Counter(), events)
    node = Node(ROW, bytes(32))

    queue = LaneReport(0, 1, 0, 0, NO_CHAIN)
    urgent = LaneReport(1, 1, 0, 0, NO_CHAIN, ((2, digest(b"2")),))  # its first lacks
    refused = tuple(Outcome(0, sequence, Told.REFUSED) for sequence in range(1, OUTCOMES_MAX + 1))
    report = Report(1, (queue, urgent), 0, 0, outcomes=refused)
    ledger.report(node, report, 1.0)
    ledger.report(node, replace(report, counter=2, outcomes=()), 2.0)

    delivery = known.get(MessageId(1, 1, 2))
    assert delivery
    assert delivery.states[4] is State.RECEIVED
