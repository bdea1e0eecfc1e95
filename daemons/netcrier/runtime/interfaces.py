"""The host's interfaces that are up, each with its addresses (rtnetlink), and a watch that tells when they change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address
from typing import Final

from netcrier.runtime import netlink
from netcrier.runtime.netlink import Group

_SETTLE: Final = 0.05
"""Seconds after the first news of a change: one `ip link set up` brings several, and all are looked at once."""


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface that is up. `broadcasts` are the directed broadcast addresses of its IPv4 networks.

    `multicast`: whether it carries multicast to more than one other host. `port`: part of a bridge or bond, whose
    addresses are on that. `ipv6` has the link-local addresses last and leaves out those not known to be unique yet.
    """

    name: str
    index: int
    ipv4: tuple[str, ...] = ()
    broadcasts: tuple[str, ...] = ()
    ipv6: tuple[str, ...] = ()
    multicast: bool = False
    loopback: bool = False
    port: bool = False


def interfaces() -> list[Interface]:
    """Every interface that is up, by index. Raises OSError."""
    up = sorted((link for link in netlink.links() if link.up), key=lambda link: link.index)
    found = netlink.addresses()
    return [_interface(link, [one for one in found if one.index == link.index]) for link in up]


def _interface(link: netlink.Link, own: list[netlink.Address]) -> Interface:
    broadcasts = [_broadcast(one) for one in own if link.can_broadcast]
    ipv6 = [one.address for one in own if isinstance(one.address, IPv6Address) and one.usable]
    return Interface(
        link.name,
        link.index,
        ipv4=tuple(str(one.address) for one in own if isinstance(one.address, IPv4Address)),
        broadcasts=tuple(dict.fromkeys(address for address in broadcasts if address)),
        ipv6=tuple(str(address) for address in sorted(ipv6, key=lambda address: address.is_link_local)),
        multicast=link.can_multicast and not link.loopback and not link.point_to_point,
        loopback=link.loopback,
        port=link.master != 0,
    )


def _broadcast(own: netlink.Address) -> str | None:
    if not isinstance(own.address, IPv4Address):
        return None
    network = IPv4Interface((own.address, own.prefix)).network
    return str(own.broadcast or network.broadcast_address) if network.num_addresses > 2 else None


class Watch:
    """Calls `changed` shortly after links or addresses have changed; it is for `changed` to look how they are now."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._socket = netlink.listener(Group.LINKS, Group.IPV4_ADDRESSES, Group.IPV6_ADDRESSES)
        self._socket.setblocking(False)
        self._due: asyncio.TimerHandle | None = None
        self._loop.add_reader(self._socket, self._readable)

    def close(self) -> None:
        """No more news."""
        self._loop.remove_reader(self._socket)
        self._socket.close()
        if self._due:
            self._due.cancel()

    def _readable(self) -> None:
        try:
            while True:
                netlink.receive(self._socket)
        except OSError:
            pass  # all is read, or news was lost in the kernel (ENOBUFS): either way it is time to look
        if self._due is None:
            self._due = self._loop.call_later(_SETTLE, self._look)

    def _look(self) -> None:
        self._due = None
        self._changed()
