"""The host's IPv4 interfaces, by rtnetlink (rtnetlink(7)): two dumps, no external command, no privileges."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface

_GETLINK, _NEWLINK, _GETADDR, _NEWADDR, _DONE, _ERROR = 18, 16, 22, 20, 3, 2
_REQUEST_DUMP = 0x301
_IFLA_IFNAME, _IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST = 3, 1, 2, 4
_UP, _BROADCAST, _LOOPBACK = 0x1, 0x2, 0x8
_HEADER = struct.Struct("=IHHII")


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface that is up, with one of its IPv4 addresses. `broadcast` is None where it cannot broadcast."""

    name: str
    address: str
    broadcast: str | None
    loopback: bool


def interfaces() -> list[Interface]:
    """Every (interface, IPv4 address) pair that is up."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
        netlink.bind((0, 0))
        links = {}
        for body in _dump(netlink, _GETLINK, _NEWLINK):
            _, _, index, flags, _ = struct.unpack_from("=BxHiII", body)
            name = _attributes(body[16:]).get(_IFLA_IFNAME, b"?").rstrip(b"\0").decode(errors="replace")
            links[index] = (name, flags)
        found = []
        for body in _dump(netlink, _GETADDR, _NEWADDR):
            family, prefix, _, _, index = struct.unpack_from("=BBBBI", body)
            name, flags = links.get(index, ("?", 0))
            if family == socket.AF_INET and flags & _UP:
                found.append(_interface(name, flags, prefix, _attributes(body[8:])))
    return found


def _interface(name: str, flags: int, prefix: int, attributes: dict[int, bytes]) -> Interface:
    address = str(IPv4Address(attributes.get(_IFA_LOCAL) or attributes[_IFA_ADDRESS]))
    network = IPv4Interface(f"{address}/{prefix}").network
    broadcast = None
    if flags & _BROADCAST and network.num_addresses > 2:
        given = attributes.get(_IFA_BROADCAST)
        broadcast = str(IPv4Address(given)) if given else str(network.broadcast_address)
    return Interface(name, address, broadcast, bool(flags & _LOOPBACK))


def _dump(netlink: socket.socket, request: int, reply: int) -> Iterator[bytes]:
    netlink.send(_HEADER.pack(_HEADER.size + 16, request, _REQUEST_DUMP, 1, 0) + bytes(16))
    while True:
        data = netlink.recv(1 << 16)
        while len(data) >= _HEADER.size:
            length, kind, _, _, _ = _HEADER.unpack_from(data)
            if kind == _DONE:
                return
            if kind == _ERROR:
                raise OSError("the kernel refused a netlink dump")
            if kind == reply:
                yield data[_HEADER.size : length]
            data = data[(length + 3) & ~3 :]


def _attributes(data: bytes) -> dict[int, bytes]:
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            break
        found[kind] = data[4:length]
        data = data[(length + 3) & ~3 :]
    return found
