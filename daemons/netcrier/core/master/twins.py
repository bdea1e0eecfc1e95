"""Two machines with one identity, as after copying a state directory: how the master tells them from a replay.

What is refused as `old boot` or `replayed` may be a recording, and a recording answers an old beacon. Where a refused
report answers a newer beacon than every accepted one, a second machine holds the node's key and is awake. A repeated
counter is believed the second time: the first datagram of all that a node says in a boot may have been overtaken.
While both are heard what either tells of messages is not counted: it is not known which of them has what. Once one has
been silent for three presence intervals, the marks of the other say what it has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from netcrier.core.master.roster import Node, Roster
from netcrier.core.pacing import Budget
from netcrier.errors import DecodeError
from netcrier.wire.envelope import SealKey
from netcrier.wire.header import UP_SIZE, UpHeader, read_up
from netcrier.wire.limits import STRANGERS_PER_SECOND
from netcrier.wire.report import decode_report

UpKey = Callable[[Node, UpHeader], SealKey]
OLD_BOOT: Final = "old boot"


class Twins:
    """See the module. `key` gives the seal of a node for a header; reports of old boots share a budget of their own."""

    def __init__(self, roster: Roster, key: UpKey) -> None:
        self._roster, self._key = roster, key
        self._budget = Budget(STRANGERS_PER_SECOND)

    def accepted(self, node: Node, beacon: int) -> None:
        """A report that counts answers the beacon with this counter."""
        node.answered = max(node.answered, beacon)

    def refused(self, node: Node, beacon: int, said: bool, now: float) -> None:
        """A report whose counter is refused does; `said`: whether the master has said that beacon lately."""
        if said and beacon > node.answered:
            if node.twin_at is not None or 0 < node.doubted < beacon:
                node.twin_at = now
            node.doubted = beacon

    def old_boot(self, data: bytes, left_at: Callable[[int], float | None], now: float) -> None:
        """A report under a lower boot than the node's; what does not open says nothing."""
        header = read_up(data)
        node = self._roster.get(header.node)
        if node is None or not self._budget.spend(now):
            return
        try:
            report = decode_report(self._key(node, header).open(data, UP_SIZE))
        except DecodeError:
            return
        if left_at(report.beacon_counter) is not None and report.beacon_counter > node.answered:
            node.twin_at = now
