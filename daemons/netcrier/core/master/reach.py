"""Which nodes the shared carriers do not reach, from what their reports say; those are served one by one.

Evidence
- A beacon for the nodes that are served one by one leaves just before the one for all, under a counter of its own. A
  report that names it as the newest, or names one of long ago, shows that the shared one was not heard; a report that
  names a shared one shows that it was.
- MISSED reports in a row put a node among those that are served one by one, FOUND in a row take it out again: the
  shared carriers are tried with every beacon.
- After a start the nodes that stay silent are called at the addresses that the store has: a master's new boot must
  reach also whom broadcast does not.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from netcrier.core.events import Address
from netcrier.core.master.beacon_clock import BeaconClock
from netcrier.core.master.roster import Node, Roster
from netcrier.wire.limits import SINGLES_MAX
from netcrier.wire.report import Report

STALE: Final = 5.0
"""Seconds since a node has heard a beacon: five idle ones were lost one after another, or none can come."""
MISSED: Final = 2
FOUND: Final = 3
CALL_AFTER: Final = 3.0
"""Seconds from the start to the first call: who hears the shared carriers has spoken by then."""
CALLS: Final = 3
"""Calls to one silent node; it may be gone."""
CALLS_AT_ONCE: Final = 8
"""Nodes called with one beacon, so that a big site's absent ones cost little."""


class Reach:
    """See the module."""

    def __init__(self, roster: Roster, beacons: BeaconClock) -> None:
        self._roster, self._beacons = roster, beacons
        self._first: float | None = None
        self.targets: tuple[Address, ...] = ()
        """Where what is for all is sent one by one besides."""

    def reported(self, node: Node, report: Report, now: float, now_us: int) -> bool:
        """Take note of what a report shows; True where the node's row has changed."""
        heard = self._heard_shared(report, now)
        if heard is None:
            return False
        node.missed, node.found = (0, node.found + 1) if heard else (node.missed + 1, 0)
        if node.row.single_us:
            if node.found < FOUND:
                return False
            node.row = replace(node.row, single_us=0)
        else:
            if node.missed < MISSED or len(self.targets) >= SINGLES_MAX:
                return False
            node.row = replace(node.row, single_us=now_us)
        self.settle()
        return True

    def settle(self) -> None:
        """The roster, an address or a row has changed: who is served one by one now."""
        singles = [node for node in self._roster if node.row.single_us and node.row.approved and node.row.address]
        self.targets = tuple((node.row.address, node.row.port) for node in singles[:SINGLES_MAX])

    @property
    def beyond(self) -> int:
        """Nodes that would be served one by one, were they not too many."""
        return sum(not node.row.single_us and node.missed >= MISSED for node in self._roster)

    def calls(self, now: float) -> list[Address]:
        """Whom to send the next beacon besides."""
        if self._first is None:
            self._first = now
        if now < self._first + CALL_AFTER:
            return []
        silent = [
            node
            for node in self._roster
            if node.heard_at is None and node.called < CALLS and node.row.approved and node.row.address
        ]
        chosen = sorted(silent, key=lambda node: node.called)[:CALLS_AT_ONCE]
        for node in chosen:
            node.called += 1
        return [(node.row.address, node.row.port) for node in chosen]

    def _heard_shared(self, report: Report, now: float) -> bool | None:
        """Whether the newest beacon that the node has heard was for all and of late; None where that says nothing."""
        if report.held_us >= STALE * 1e6:
            return False if self._first is not None and now - self._first >= STALE else None
        if self._beacons.left_at(report.beacon_counter) is None:
            return None
        return not self._beacons.was_single(report.beacon_counter)
