"""The multicast groups of a Netcrier group: one of IPv4, one of IPv6, so that the kernels of others need not look.

239.192.0.0/14 is the organisation's own (RFC 2365, section 6.2), ff15::/16 a transient group of the site (RFC 4291,
section 2.7). Both are sent with TTL or hop limit 1. Two groups may share an IPv4 address: the front tells them apart.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Final

from netcrier.ids import GROUP_ID_SIZE, GroupId
from netcrier.wire.kinds import MAGIC

MEETING: Final = GroupId(MAGIC.ljust(GROUP_ID_SIZE, b"\0"))
"""Stands for no group: there nodes that trust no master yet hear the beacons of all."""


def ipv4_group(group: GroupId) -> str:
    """239.192.x.y: the first two bytes of the group's id."""
    return str(IPv4Address(bytes((239, 192)) + group[:2]))


def ipv6_group(group: GroupId) -> str:
    """ff15:0:0:4e43 and the eight bytes of the group's id."""
    return str(IPv6Address(b"\xff\x15" + bytes(4) + MAGIC + group))
