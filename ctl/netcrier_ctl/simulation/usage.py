"""What processes and hosts have used so far: CPU time, and what left each host's interface.

A process's own view of the network is read through its /proc entry, so no namespace has to be entered.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

_TICK = os.sysconf("SC_CLK_TCK")


class Usage(Struct, frozen=True):
    """Sums over processes, each on a host of its own; or the difference of two."""

    cpu_s: float
    datagrams: int
    """UDP datagrams sent; a broadcast is one."""
    bytes: int
    """Bytes that left the interfaces, with all headers and ARP."""

    def since(self, before: Usage) -> Usage:
        """What was used between the two."""
        return Usage(self.cpu_s - before.cpu_s, self.datagrams - before.datagrams, self.bytes - before.bytes)


def usage_of(pids: Iterable[int]) -> Usage:
    """Of these processes until now."""
    places = [Path("/proc", str(pid)) for pid in pids]
    return Usage(sum(map(_cpu, places)), sum(map(_datagrams, places)), sum(map(_bytes, places)))


def resident_kib(pid: int) -> int:
    """KiB of memory that the process holds, shared pages too."""
    for line in Path("/proc", str(pid), "status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def _cpu(process: Path) -> float:
    """Seconds, in nanoseconds where the kernel counts so (schedstat), else in clock ticks."""
    try:
        return sum(int((task / "schedstat").read_text().split()[0]) for task in (process / "task").iterdir()) / 1e9
    except OSError:
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK


def _datagrams(process: Path) -> int:
    lines = [line.split() for line in (process / "net/snmp").read_text().splitlines() if line.startswith("Udp:")]
    return int(lines[1][lines[0].index("OutDatagrams")])


def _bytes(process: Path) -> int:
    for line in (process / "net/dev").read_text().splitlines():
        name, colon, counters = line.partition(":")
        if colon and name.strip() == "eth0":
            return int(counters.split()[8])
    return 0
