"""stats.log: the balance of packets every ten seconds, and how the daemon keeps up.

A line for each interface, then one for the daemon as a whole, whose `interface` is `*`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from netcrier.control.types.analyzer import Packets, StatsRow

if TYPE_CHECKING:
    from netcrier.analyzerd.balance import Balance

EVERY = 10.0
"""Seconds from record to record."""

NAME = "stats"
_PAGE = os.sysconf("SC_PAGESIZE")


def packets(balance: Balance) -> Packets:
    """As the control socket and the log say it."""
    return Packets(
        received=balance.received, analysed=balance.analysed, filtered=balance.filtered,
        dropped_kernel=balance.kernel, dropped_ring=balance.ring, dropped_budget=balance.budget,
        dropped_disk=balance.disk, undecodable=balance.undecodable,
    )  # fmt: skip


def memory() -> int:
    """Resident bytes of this process; 0 where /proc cannot be read."""
    try:
        with open("/proc/self/statm", "rb", buffering=0) as file:  # noqa: PTH123 - a path of the kernel
            return int(file.read().split()[1]) * _PAGE
    except OSError:
        return 0


def line(row: StatsRow, ts: float | str) -> bytes:
    """A row as it is logged: flat, the deltas under their names, the totals with `total_` in front."""
    fields = {"ts": ts, **msgspec.to_builtins(row)}
    delta, total = fields.pop("delta"), fields.pop("total")
    fields |= delta | {f"total_{name}": value for name, value in total.items()}
    return msgspec.json.encode({name: value for name, value in fields.items() if value is not None}) + b"\n"
