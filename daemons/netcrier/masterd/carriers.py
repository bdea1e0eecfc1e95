"""The ways by which a datagram for everyone leaves: directed broadcast on interfaces, and unicast to listed nodes."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from netcrier.core.events import Address
from netcrier.errors import ConfigError
from netcrier.runtime.interfaces import Interface
from netcrier.wire.limits import ADDRESSES_MAX


@dataclass(frozen=True, slots=True)
class Carrier:
    """One way. `interface` is empty for unicast."""

    kind: str
    interface: str
    address: Address


@dataclass(frozen=True, slots=True)
class Carriers:
    """All ways, and the addresses at which nodes may answer."""

    ways: tuple[Carrier, ...]
    answers: tuple[str, ...]


def listed(nodes: tuple[str, ...], port: int) -> tuple[Carrier, ...]:
    """Unicast carriers for `host` or `host:port`; ConfigError where a name does not resolve to IPv4."""
    return tuple(Carrier("unicast", "", _resolved(node, port)) for node in nodes)


def choose(found: list[Interface], wanted: tuple[str, ...], port: int, unicast: tuple[Carrier, ...]) -> Carriers:
    """Broadcast on the wanted interfaces (default: all that can broadcast), each broadcast address once."""
    ways: dict[Address, Carrier] = {}
    answers: list[str] = []
    for interface in found:
        chosen = interface.name in wanted if wanted else not interface.loopback
        if chosen and interface.broadcast:
            ways.setdefault(
                (interface.broadcast, port), Carrier("broadcast", interface.name, (interface.broadcast, port))
            )
            answers.append(interface.address)
    if unicast:
        # A node behind a router answers to the address that it sees; a list would have to name it.
        answers = answers and [*answers, *(i.address for i in found if not i.loopback and i.address not in answers)]
    return Carriers((*ways.values(), *unicast), tuple(dict.fromkeys(answers))[:ADDRESSES_MAX])


def _resolved(node: str, port: int) -> Address:
    host, colon, given = node.rpartition(":")
    try:
        number = int(given) if colon else port
        entry = socket.getaddrinfo(host if colon else node, number, socket.AF_INET, socket.SOCK_DGRAM)[0]
    except (ValueError, OSError) as error:
        raise ConfigError(f"nodes: {node!r} is not a host or host:port of IPv4: {error}") from None
    return str(entry[4][0]), int(entry[4][1])
