"""The terms before the present one: what the store has of them, and which nodes are told that they are over.

Theory of operation
- A node stays in an earlier term until it has all that this store has of it, and has said so. It reports its marks of
  that term; once what it said is committed a TURN answers: up to where to ask, or, where nothing lacks, to go on.
- Numbers of the earlier term that nodes have and this store has not (`unknown`) cannot be had any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain

from netcrier.core.master.outbox import OutLane
from netcrier.core.master.roster import Node
from netcrier.ids import LANES
from netcrier.wire.heard import Entry
from netcrier.wire.limits import HEARD_MAX, NUMBER_CLAIM_MAX
from netcrier.wire.report import LaneReport, Report
from netcrier.wire.signed import Head
from netcrier.wire.turn import Stand, Turn


class Past:
    """See the module. `lanes`: term to its lanes; `unknown`: (term, lane, number) up to which nodes had messages."""

    def __init__(
        self, term: int, lanes: Mapping[int, Iterable[OutLane]], unknown: Iterable[tuple[int, int, int]]
    ) -> None:
        self._term = term
        self._lanes = {(old, lane.lane): lane for old, found in lanes.items() for lane in found}
        self._unknown = {(old, lane): number for old, lane, number in unknown}
        self._told: dict[Entry, tuple[LaneReport, ...]] = {}

    def lane(self, term: int, lane: int) -> OutLane | None:
        """A lane of an earlier term, empty where the store has nothing of it; None for other terms."""
        if not 1 <= term < self._term or lane not in LANES:
            return None
        return self._lanes.get((term, lane)) or OutLane(lane)

    def reported(self, node: Node, report: Report) -> Entry | None:
        """What to answer once the report is committed; None where it is of the present term."""
        lanes = tuple(lane for lane in report.lanes if self.lane(lane.term, lane.lane))
        if not lanes:
            return None
        entry = Entry(node.row.index, node.row.boot, report.counter)
        self._told[entry] = lanes
        return entry

    def turns(self, entries: Iterable[Entry], head: Callable[[], Head]) -> Iterator[Turn]:
        """The answers to these reports, which are committed; `head` gives the next number."""
        stands: dict[tuple[int, int], list[Stand]] = {}
        for entry in entries:
            for told in self._told.pop(entry, ()):
                stands.setdefault((told.term, told.lane), []).append(Stand(entry.index, entry.boot, told.received))
        for (term, lane), found in stands.items():
            out = self.lane(term, lane)
            assert out
            claimed = min(self._unknown.get((term, lane), 0), out.highest + NUMBER_CLAIM_MAX)
            known = max(out.highest, claimed)
            for at in range(0, len(found), HEARD_MAX):
                part = tuple(found[at : at + HEARD_MAX])
                yield Turn(head(), lane, term, out.highest, known, self._following(term, lane), part)

    def _following(self, term: int, lane: int) -> int:
        """The next term in which this lane has something, here or at nodes."""
        numbers = ((at, out.highest) for at, out in self._lanes.items())
        later = (old for (old, its), number in chain(numbers, self._unknown.items()) if its == lane and number)
        return min((old for old in later if term < old < self._term), default=self._term)
