"""The host's IPv4 interfaces that are up, each with its addresses (rtnetlink)."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Interface

from netcrier.runtime import netlink


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface that is up, with one of its IPv4 addresses. `broadcast` is None where it cannot broadcast."""

    name: str
    address: str
    broadcast: str | None
    loopback: bool


def interfaces() -> list[Interface]:
    """Every (interface, IPv4 address) pair that is up. Raises OSError."""
    up = {link.index: link for link in netlink.links() if link.up}
    return [_interface(up[one.index], one) for one in netlink.addresses() if one.index in up]


def _interface(link: netlink.Link, own: netlink.Address) -> Interface:
    network = IPv4Interface((own.address, own.prefix)).network
    broadcast = None
    if link.can_broadcast and network.num_addresses > 2:
        broadcast = str(own.broadcast or network.broadcast_address)
    return Interface(link.name, str(own.address), broadcast, link.loopback)
