"""The balance of packets: received = analysed + filtered + dropped (kernel, ring, budget, disk) + undecodable.

kernel: dropped by the card or the kernel in front of the ring. ring: found no room in it. budget: fragments of
datagrams that a budget of the engine gave up. disk: packets of conversations whose record was lost, by a disk that was
full or too slow. filtered: the outgoing copies on a loopback interface; what a capture filter leaves out is counted by
nobody and is not in `received` either.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netcrier.analyzerd.worker import Counts


@dataclass(frozen=True, slots=True)
class Balance:
    """Packets. The first is the sum of the others."""

    received: int = 0
    analysed: int = 0
    filtered: int = 0
    kernel: int = 0
    ring: int = 0
    budget: int = 0
    disk: int = 0
    undecodable: int = 0

    @property
    def dropped(self) -> int:
        """Wherever."""
        return self.kernel + self.ring + self.budget + self.disk

    def __add__(self, other: Balance) -> Balance:
        return Balance(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    def __sub__(self, other: Balance) -> Balance:
        return Balance(*(getattr(self, one.name) - getattr(other, one.name) for one in fields(self)))


NOTHING = Balance()


def balance(counts: Iterable[Counts], missed: int, unrecorded: int, earlier: Balance = NOTHING) -> Balance:
    """Of one interface: what its workers counted, what was missed in front of them, and what the disk lost; `earlier`
    without the disk's, of workers that have ended."""
    total = earlier + Balance(received=missed, kernel=missed)
    for one in counts:
        seen = one.engine
        total += Balance(
            received=seen["received"] + seen["copies"] + one.dropped,
            analysed=seen["analysed"] + seen["not_ip"],
            filtered=seen["copies"],
            ring=one.dropped,
            budget=seen["over_budget"],
            undecodable=seen["undecodable"],
        )
    disk = min(unrecorded, total.analysed)
    return total + Balance(analysed=-disk, disk=disk)


class _Lost(msgspec.Struct):
    """What is needed of a conn line that was lost."""

    orig_pkts: int = 0
    resp_pkts: int = 0
    interface: str = ""
    partial: bool = False


class Unrecorded:
    """Packets of the conn lines that were given up, by interface."""

    def __init__(self) -> None:
        self._packets: dict[str, int] = {}
        self._lock = threading.Lock()
        self._decoder = msgspec.json.Decoder(_Lost)

    def lost(self, log: str, lines: bytes) -> None:
        """The writer gave these lines up. Of a conversation's interim records the last record says all packets."""
        if log != "conn":
            return
        for row in self._decoder.decode_lines(lines):
            if not row.partial:
                with self._lock:
                    before = self._packets.get(row.interface, 0)
                    self._packets[row.interface] = before + row.orig_pkts + row.resp_pkts

    def of(self, interface: str) -> int:
        """Packets, since the start."""
        with self._lock:
            return self._packets.get(interface, 0)
