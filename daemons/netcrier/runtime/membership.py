"""Which multicast groups are heard on which interfaces: told how the interfaces are now, it joins and leaves.

IPv4 groups are joined where there is an IPv4 address, IPv6 groups where there is an IPv6 one; not on the loopback, on
point-to-point links or on a bridge's ports. What the kernel refuses (net.ipv4.igmp_max_memberships) is in `failed`.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Protocol

from netcrier.runtime.interfaces import Interface


class Joining(Protocol):
    """A port that can hear groups; both raise OSError."""

    def join(self, group: str, interface: int) -> None: ...
    def leave(self, group: str, interface: int) -> None: ...


class Membership:
    """See the module."""

    def __init__(self, port: Joining) -> None:
        self._port = port
        self.joined: set[tuple[str, int]] = set()
        self.failed: dict[tuple[str, int], OSError] = {}

    def follow(self, groups: Iterable[str], found: list[Interface]) -> None:
        """Hear these groups on all suitable interfaces, and no others."""
        wanted = {(group, one.index) for one in found for group in groups if _suits(group, one)}
        for group, interface in self.joined - wanted:
            with suppress(OSError):  # the interface is gone, and the membership with it
                self._port.leave(group, interface)
            self.joined.discard((group, interface))
        self.failed.clear()
        for group, interface in sorted(wanted - self.joined):
            try:
                self._port.join(group, interface)
                self.joined.add((group, interface))
            except OSError as error:
                self.failed[group, interface] = error


def _suits(group: str, one: Interface) -> bool:
    return one.multicast and not one.port and bool(one.ipv6 if ":" in group else one.ipv4)
