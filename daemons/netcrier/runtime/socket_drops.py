"""What the kernel has dropped at UDP sockets, told apart: for want of buffer, or by a socket's filter.

A socket counts both as one (SO_RXQ_OVFL). The network namespace counts the first alone, but of all its UDP sockets
(RcvbufErrors, proc_pid_net(5)): so for want of buffer is at most that, and at most what the sockets have dropped.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path
from struct import Struct
from typing import Final

_COUNT: Final = Struct("=I")
_EVERY: Final = 0.2
"""Seconds between two looks at the namespace: a flood makes the counts rise with every datagram."""


class SocketDrops:
    """Counted from now on. `overflows` gives the namespace's count, None where it cannot be read."""

    def __init__(self, overflows: Callable[[], int | None]) -> None:
        self._overflows = overflows
        self._before = overflows()
        self._dropped: dict[socket.socket, int] = {}
        self.total = 0
        """All that these sockets have dropped."""
        self._looked_at, self._looked_for, self._lost = -_EVERY, 0, 0

    def saw(self, one: socket.socket, value: bytes) -> None:
        """What came beside a datagram (SO_RXQ_OVFL)."""
        (self._dropped[one],) = _COUNT.unpack(value)
        self.total = sum(self._dropped.values())

    @property
    def lost(self) -> int:
        """Of it, for want of buffer; never less than was said before."""
        total = self.total
        if total != self._looked_for and (now := time.monotonic()) - self._looked_at >= _EVERY:
            self._looked_at, self._looked_for = now, total
            after = self._overflows()
            known = total if after is None or self._before is None else min(total, after - self._before)
            self._lost = max(self._lost, known)
        return self._lost

    @property
    def filtered(self) -> int:
        """Of it, by the filter."""
        return self.total - self.lost


def udp_overflows() -> int | None:
    """RcvbufErrors of this network namespace, IPv4 and IPv6 together."""
    try:
        names, values = (
            line.split() for line in Path("/proc/self/net/snmp").read_text().splitlines() if line.startswith("Udp:")
        )
        count = int(values[names.index("RcvbufErrors")])
    except (OSError, ValueError):
        return None
    try:
        lines = Path("/proc/self/net/snmp6").read_text().splitlines()
    except OSError:  # a kernel without IPv6
        return count
    return count + sum(int(line.split()[1]) for line in lines if line.startswith("Udp6RcvbufErrors"))
