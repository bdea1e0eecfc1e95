"""What became of messages at nodes: what reports tell of it, and what is closed for who has not told."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable

from msgspec.structs import replace

from netcrier.core.delivery import Receipt, State
from netcrier.core.events import MasterEvent, ReceiptsIn
from netcrier.core.master.deliveries import Deliveries
from netcrier.core.master.outbox import OutLane
from netcrier.core.master.past import Past
from netcrier.core.master.roster import Node
from netcrier.core.master.told import Teller, trusted
from netcrier.ids import MessageId
from netcrier.wire.heard import Entry
from netcrier.wire.report import LaneReport, Report


class Ledger:
    """See the module. Receipts go to `events`, what contradicts the store is counted in `refused`."""

    def __init__(
        self,
        term: int,
        lanes: dict[int, OutLane],
        past: Past,
        deliveries: Deliveries,
        refused: Counter[str],
        events: deque[MasterEvent],
    ) -> None:
        self._term, self._lanes, self._past, self._deliveries = term, lanes, past, deliveries
        self._refused, self._events = refused, events
        self._teller = Teller(deliveries)

    def report(self, node: Node, report: Report, now: float) -> Receipt | None:
        """Have what a node tells committed; the newest receipt that its marks bring."""
        told = list(self._teller.outcomes(node, report, self._lane, now))
        marked = [
            receipt
            for lane in report.lanes
            for receipt in self._marks(
                node, lane, trusted(report, lane.lane), now, left=lane.term < self._term and _has_left(report, lane)
            )
        ]
        entry = Entry(node.row.index, node.row.boot, report.counter) if report.outcomes else None
        self._keep([*told, *marked], self._past.reported(node, report) or entry)
        return marked[-1] if marked else None

    def close(self, messages: Iterable[MessageId], state: State, now: float) -> None:
        """Nothing more is tried for who has not answered about these."""
        waiting = [(identity, self._deliveries.get(identity)) for identity in messages]
        moves = [
            self._deliveries.move(identity, index, state, now)
            for identity, delivery in waiting
            if delivery
            for index in tuple(delivery.outstanding)
        ]
        self._keep(receipt for receipt in moves if receipt)

    def forget(self, index: int) -> None:
        """The node is gone for good: nothing is expected from it."""
        self._events.extend(self._deliveries.forget(index))

    def revoke(self, index: int, now: float) -> None:
        """The node is shut out: what waited for it is settled."""
        receipts, completed = self._deliveries.revoke(index, now)
        if receipts:
            self._events.append(ReceiptsIn(receipts))
        self._events.extend(completed)

    def _keep(self, receipts: Iterable[Receipt], heard: Entry | None = None) -> None:
        """Have receipts committed, and say which messages they settle."""
        found = tuple(receipts)
        if found or heard:
            self._events.append(ReceiptsIn(found, heard))
        self._events.extend(self._deliveries.completed(dict.fromkeys(receipt.message for receipt in found)))

    def _lane(self, term: int, lane: int) -> OutLane | None:
        return self._lanes.get(lane) if term == self._term else self._past.lane(term, lane)

    def _marks(
        self, node: Node, report: LaneReport, bound: int | None, now: float, *, left: bool = False
    ) -> list[Receipt]:
        """`left`: the node is in a later term already, and tells what its log has of this one."""
        before = node.lanes.get(report.lane)
        said = before == report and node.settled.get((report.term, report.lane)) == report.received
        if said and not report.extras:  # of these a bound may have kept some back
            return []  # nearly always so of the lane that is not in use
        lane = self._lane(report.term, report.lane)
        if lane is None:
            self._refused["other term"] += 1
            return []
        if report.term < self._term and report.received > lane.highest:
            # This store is an older copy: what the node has beyond it hides the chain, so its word is taken.
            most = lane.highest
            report = replace(report, received=most, delivered=min(report.delivered, most), extras=())
            return list(self._teller.marks(node, report, lane, bound, now))
        chain = lane.chain_at(report.received)
        if chain is None:
            self._refused["number not in this store"] += 1
            return []
        if chain != report.chain:
            self._refused["chain mismatch"] += 1
            return []
        if not left:
            if before and (report.term, report.received) < (before.term, before.received):
                self._refused["rolled back"] += 1
            node.lanes[report.lane] = report
        return list(self._teller.marks(node, report, lane, bound, now))


def _has_left(report: Report, lane: LaneReport) -> bool:
    """Whether the report says that the node has the lane in a later term."""
    return any(other.lane == lane.lane and other.term > lane.term for other in report.lanes)
