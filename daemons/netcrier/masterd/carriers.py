"""The ways by which a datagram for more than one leaves: broadcast, multicast, and unicast to single nodes.

Which, says `interfaces`: each entry is NAME, or NAME=KIND+KIND with the kinds that the interface carries; an entry
without kinds takes those of `carriers`, and where that is empty the first that the interface can: directed broadcast,
else IPv6 multicast. No entry at all means every interface that is up, but the loopback and a bridge's ports.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Final

import msgspec

from netcrier.core.events import Address, Audience
from netcrier.errors import ConfigError
from netcrier.ids import GroupId
from netcrier.runtime.interfaces import Interface
from netcrier.wire.limits import ADDRESSES_MAX
from netcrier.wire.multicast import MEETING, ipv4_group, ipv6_group

BROADCAST, MULTICAST, MULTICAST6, UNICAST = "broadcast", "multicast", "multicast6", "unicast"
KINDS: Final = (BROADCAST, MULTICAST, MULTICAST6)


class Carrier(msgspec.Struct, frozen=True):
    """One way. `interface` is empty for unicast."""

    kind: str
    interface: str
    address: Address

    def __str__(self) -> str:
        host = self.address[0].partition("%")[0]
        return f"[{host}]:{self.address[1]}" if ":" in host else f"{host}:{self.address[1]}"


class Wishes(msgspec.Struct, frozen=True):
    """What the configuration asks for. `interfaces`: name to kinds, or to none for the default ones."""

    interfaces: Mapping[str, tuple[str, ...]]
    kinds: tuple[str, ...]
    node_port: int
    port: int
    unicast: tuple[Carrier, ...] = ()


class Carriers(msgspec.Struct, frozen=True):
    """All ways, the addresses at which nodes may answer, and what was asked for and cannot be."""

    ways: tuple[Carrier, ...] = ()
    answers: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    _addresses: Mapping[Audience, tuple[Address, ...]] = field(default_factory=dict)

    def addresses(self, audience: Audience) -> tuple[Address, ...]:
        """Where a datagram for this audience is sent."""
        return self._addresses.get(audience, ())


def wished(interfaces: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Names and kinds of the entries of `interfaces`; ConfigError where one is no such entry."""
    found = {}
    for entry in interfaces:
        name, equals, text = entry.partition("=")
        kinds = tuple(text.split("+")) if equals else ()
        wrong = [kind for kind in kinds if kind not in KINDS]
        if not name or wrong:
            raise ConfigError(
                f"interfaces: {entry!r} is not NAME or NAME=KIND, with one or more of {', '.join(KINDS)} joined by +"
            )
        found[name] = kinds
    return found


def listed(nodes: tuple[str, ...], port: int) -> tuple[Carrier, ...]:
    """Unicast carriers for `host`, `host:port` or `[IPv6]:port`; ConfigError where a name does not resolve."""
    return tuple(Carrier(UNICAST, "", _resolved(node, port)) for node in nodes)


def choose(found: list[Interface], wishes: Wishes, group: GroupId) -> Carriers:
    """The ways on the interfaces as they are now, each address once."""
    ways: dict[Address, Carrier] = {}
    answers: list[str] = []
    meetings: list[Address] = []
    lacking = [f"{name} is not up" for name in wishes.interfaces if name not in {one.name for one in found}]
    for one in found:
        if wishes.interfaces and one.name not in wishes.interfaces:
            continue
        for kind in wishes.interfaces.get(one.name) or wishes.kinds or _first_possible(one, bool(wishes.interfaces)):
            hosts = _hosts(kind, one, group)
            if not hosts and wishes.interfaces:
                lacking.append(f"{one.name} cannot carry {kind}: {_REASONS[kind]}")
            for host in hosts:
                ways.setdefault((host, wishes.node_port), Carrier(kind, one.name, (host, wishes.node_port)))
            if hosts:
                answers += one.ipv6 if kind == MULTICAST6 else one.ipv4
                meetings += [(host, wishes.node_port) for host in _hosts(kind, one, MEETING) if kind != BROADCAST]
    if wishes.unicast and answers:
        # A node behind a router answers to the address that it sees; a list would have to name it.
        answers += [host for one in found if not one.loopback for host in (*one.ipv4, *one.ipv6)]
    shared, single = tuple(ways), tuple(way.address for way in wishes.unicast)
    addresses = {
        Audience.ALL: (*shared, *single),
        Audience.SHARED: (*shared, *meetings),
        Audience.SINGLE: single,
        Audience.MASTERS: tuple((host, wishes.port) for host, _ in shared),
    }
    return Carriers((*ways.values(), *wishes.unicast), _ordered(answers), tuple(lacking), addresses)


_REASONS: Final = {
    BROADCAST: "it has no IPv4 network that can broadcast",
    MULTICAST: "it has no IPv4 address, or no multicast",
    MULTICAST6: "it has no IPv6 address, or no multicast",
}


def _first_possible(one: Interface, named: bool) -> tuple[str, ...]:
    if one.broadcasts or named:
        return (BROADCAST,) if one.broadcasts or not one.ipv6 else (MULTICAST6,)
    return (MULTICAST6,) if one.ipv6 and one.multicast and not one.port else ()


def _hosts(kind: str, one: Interface, group: GroupId) -> tuple[str, ...]:
    """Where this kind is sent on the interface; none where it cannot be."""
    if kind == BROADCAST:
        return one.broadcasts
    if kind == MULTICAST:
        return (f"{ipv4_group(group)}%{one.index}",) if one.multicast and one.ipv4 else ()
    return (f"{ipv6_group(group)}%{one.index}",) if one.multicast and one.ipv6 else ()


def _ordered(answers: Iterable[str]) -> tuple[str, ...]:
    """As many as a beacon lists: IPv4, then IPv6, those of one link last."""
    unique = dict.fromkeys(answers)
    return tuple(sorted(unique, key=lambda host: (":" in host, host.startswith("fe80:"))))[:ADDRESSES_MAX]


def _resolved(node: str, port: int) -> Address:
    host, given = node, ""
    if node.startswith("["):
        host, closed, given = node[1:].partition("]")
        host, given = (host, given.removeprefix(":")) if closed else (node, "")
    elif node.count(":") == 1:
        host, _, given = node.partition(":")
    try:
        number = int(given) if given or node.endswith(":") else port
        entry = socket.getaddrinfo(host, number, type=socket.SOCK_DGRAM)[0][4]
    except (ValueError, OSError, UnicodeError) as error:
        raise ConfigError(f"nodes: {node!r} is not a host, host:port or [IPv6]:port: {error}") from None
    zone = f"%{entry[3]}" if len(entry) > 3 and entry[3] else ""
    return f"{entry[0]}{zone}", int(entry[1])
