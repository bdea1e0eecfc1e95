"""rtnetlink(7): the kernel's links and addresses, as dumps and as one datagram's messages. No privileges needed.

Only what the kernel itself sends (port id 0) is read. A message that is not what its header claims is an OSError that
says so: it never loops, and no foreign exception leaves.
"""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from struct import Struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADER = Struct("=IHHII")
_ATTRIBUTE = Struct("=HH")
_LINK = Struct("=4xiI4x")
"""ifinfomsg: index and flags."""
_ADDRESS = Struct("=BBBxI")
"""ifaddrmsg: family, prefix length, flags and index."""
_REQUEST_DUMP = 0x301
_ERROR_NUMBER = Struct("=i")
_IFLA_NAME, _IFLA_LINK, _IFLA_MASTER, _IFLA_LINKINFO, _IFLA_STATISTICS = 3, 5, 10, 18, 23
_INFO_KIND = 1
_STATISTICS = Struct("=16Q")
"""The head of rtnl_link_stats64: its seventh is rx_dropped, its sixteenth rx_missed_errors."""
_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST = 1, 2, 4
_UP, _CAN_BROADCAST, _LOOPBACK, _POINT_TO_POINT, _CAN_MULTICAST = 0x1, 0x2, 0x8, 0x10, 0x1000
_TENTATIVE = 0x40 | 0x08
"""IFA_F_TENTATIVE, IFA_F_DADFAILED: another host may have the address, or has it."""

STACKED = frozenset({"vlan", "macvlan", "ipvlan", "macsec"})
"""Kinds of links that sit on another, on which what crosses them is seen too."""

ANSWER_WAIT = 5.0
"""Seconds in which the kernel has to answer a dump: it does so at once, and a start must not hang on it."""

READ_SIZE = 1 << 16
"""Bytes; the kernel fills at most 32 KiB of a dump's datagram."""


class Kind(IntEnum):
    """Messages of rtnetlink that are read or asked for here."""

    ERROR = 2
    DONE = 3
    NEW_LINK = 16
    DEL_LINK = 17
    GET_LINK = 18
    NEW_ADDRESS = 20
    DEL_ADDRESS = 21
    GET_ADDRESS = 22


class Group(IntEnum):
    """Bits of the multicast groups that `listener` may join."""

    LINKS = 0x1
    IPV4_ADDRESSES = 0x10
    IPV6_ADDRESSES = 0x100


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `kind` is a Kind or a number that is not known here."""

    kind: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Link:
    """One link; `master` is the index of the bridge or bond that it is a port of, 0 without one.

    `parent` is the index of the link that a VLAN or the like sits on, 0 without one; `missed` counts the packets that
    the kernel or the card received and had to drop.
    """

    index: int
    name: str
    up: bool
    loopback: bool = False
    can_broadcast: bool = False
    master: int = 0
    can_multicast: bool = False
    point_to_point: bool = False
    parent: int = 0
    missed: int = 0


@dataclass(frozen=True, slots=True)
class Address:
    """One address of the link `index`; `broadcast` None: none is set; `usable`: it is known to be unique."""

    index: int
    address: IPv4Address | IPv6Address
    prefix: int
    broadcast: IPv4Address | None
    usable: bool = True


def links() -> list[Link]:
    """Every link of this network namespace. Raises OSError."""
    return [link(body) for body in _dump(Kind.GET_LINK, Kind.NEW_LINK)]


def addresses() -> list[Address]:
    """Every address of this network namespace. Raises OSError."""
    found = (address(body) for body in _dump(Kind.GET_ADDRESS, Kind.NEW_ADDRESS))
    return [one for one in found if one is not None]


def listener(*groups: Group) -> socket.socket:
    """A socket on which the kernel tells of changes, for `receive`. Raises OSError."""
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    try:
        netlink.bind((0, sum(groups)))
    except OSError:
        netlink.close()
        raise
    return netlink


def receive(netlink: socket.socket) -> list[Message]:
    """The messages of the next datagram; none where another process sent it. Raises OSError."""
    data, _, flags, (sender, _) = netlink.recvmsg(READ_SIZE)
    if sender != 0:
        return []
    if flags & socket.MSG_TRUNC:
        raise OSError(f"netlink: a datagram of more than {READ_SIZE} bytes")
    return list(messages(data))


def messages(datagram: bytes) -> Iterator[Message]:
    """What a datagram holds. Raises OSError where a message is longer than the datagram or shorter than its header."""
    at = 0
    while at < len(datagram):
        left = len(datagram) - at
        if left < _HEADER.size:
            raise OSError(f"netlink: {left} bytes where a header takes {_HEADER.size}")
        length, kind, _, _, _ = _HEADER.unpack_from(datagram, at)
        if not _HEADER.size <= length <= left:
            raise OSError(f"netlink: a message claims {length} bytes; it has {_HEADER.size} to {left}")
        yield Message(kind, datagram[at + _HEADER.size : at + length])
        at += _aligned(length)


def link(body: bytes) -> Link:
    """The link that a NEW_LINK or DEL_LINK tells of. Raises OSError."""
    index, flags = _fixed(_LINK, body)
    found = _attributes(body, _LINK.size)
    return Link(
        index,
        found.get(_IFLA_NAME, b"?").rstrip(b"\0").decode(errors="replace"),
        up=bool(flags & _UP),
        loopback=bool(flags & _LOOPBACK),
        can_broadcast=bool(flags & _CAN_BROADCAST),
        master=_index(found.get(_IFLA_MASTER, bytes(4))),
        can_multicast=bool(flags & _CAN_MULTICAST),
        point_to_point=bool(flags & _POINT_TO_POINT),
        parent=_index(found.get(_IFLA_LINK, bytes(4))) if _kind(found.get(_IFLA_LINKINFO, b"")) in STACKED else 0,
        missed=_missed(found.get(_IFLA_STATISTICS, b"")),
    )


def _index(data: bytes) -> int:
    if len(data) != 4:
        raise OSError(f"netlink: an index of {len(data)} bytes")
    return int.from_bytes(data, sys.byteorder)


def _kind(info: bytes) -> str:
    return _attributes(info, 0).get(_INFO_KIND, b"").rstrip(b"\0").decode(errors="replace")


def _missed(data: bytes) -> int:
    if len(data) < _STATISTICS.size:
        return 0
    counts: tuple[int, ...] = _STATISTICS.unpack_from(data)
    return counts[6] + counts[15]


def address(body: bytes) -> Address | None:
    """The address that a NEW_ADDRESS or DEL_ADDRESS tells of; None where it is of no IP. Raises OSError."""
    family, prefix, flags, index = _fixed(_ADDRESS, body)
    if family not in (socket.AF_INET, socket.AF_INET6):
        return None
    found = _attributes(body, _ADDRESS.size)
    own = found.get(_IFA_LOCAL) or found.get(_IFA_ADDRESS)
    if own is None:
        raise OSError("netlink: an address message without an address")
    if family == socket.AF_INET6:
        return Address(index, _ipv6(own), prefix, None, usable=not flags & _TENTATIVE)
    broadcast = found.get(_IFA_BROADCAST)
    return Address(index, _ipv4(own), prefix, None if broadcast is None else _ipv4(broadcast))


def _dump(request: Kind, reply: Kind) -> Iterator[bytes]:
    with listener() as netlink:
        netlink.settimeout(ANSWER_WAIT)
        netlink.send(_HEADER.pack(_HEADER.size + _LINK.size, request, _REQUEST_DUMP, 1, 0) + bytes(_LINK.size))
        while True:
            for message in receive(netlink):
                if message.kind == Kind.DONE:
                    return
                if message.kind == Kind.ERROR:
                    raise _refusal(message.body)
                if message.kind == reply:
                    yield message.body


def _refusal(body: bytes) -> OSError:
    (number,) = _fixed(_ERROR_NUMBER, body)
    return OSError(-number, f"the kernel refused a netlink dump: {os.strerror(-number)}")


def _attributes(body: bytes, start: int) -> dict[int, bytes]:
    found = {}
    at = start
    while len(body) - at >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        if not _ATTRIBUTE.size <= length <= len(body) - at:
            raise OSError(f"netlink: an attribute claims {length} bytes of {len(body) - at}")
        found[kind] = body[at + _ATTRIBUTE.size : at + length]
        at += _aligned(length)
    return found


def _fixed(layout: Struct, body: bytes) -> tuple[int, ...]:
    if len(body) < layout.size:
        raise OSError(f"netlink: a message body of {len(body)} bytes; {layout.size} are the least")
    return layout.unpack_from(body)


def _ipv4(data: bytes) -> IPv4Address:
    if len(data) != 4:
        raise OSError(f"netlink: an IPv4 address of {len(data)} bytes")
    return IPv4Address(data)


def _ipv6(data: bytes) -> IPv6Address:
    if len(data) != 16:
        raise OSError(f"netlink: an IPv6 address of {len(data)} bytes")
    return IPv6Address(data)


def _aligned(length: int) -> int:
    return (length + 3) & ~3
