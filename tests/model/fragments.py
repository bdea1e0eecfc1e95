"""Datagrams put together from their fragments (RFC 791, 8200); of bytes that come twice the first stay (as in Zeek).

Left out: bounds. A capture with more datagrams at a time than the engine holds would show a difference.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from ipaddress import IPv6Address
from itertools import count

from .ip import Chain, Datagram, Fragment
from .view import View

IDLE = 300 * 1_000_000_000
MOST = 65_535


@dataclass
class _Parts:
    begun: int
    octets: dict[int, int] = field(default_factory=dict)
    end: int | None = None
    first: Fragment | None = None


class Fragments:
    """The datagrams that are not whole yet."""

    def __init__(self) -> None:
        self._held: dict[tuple[int, str, str, int], _Parts] = {}

    def take(self, now: int, part: Fragment) -> Datagram | Fragment | None:
        """The datagram, when this part makes it whole; `now` is the latest time of all packets so far."""
        size, captured = part.of.body.size, part.of.body.data
        if len(captured) < size:  # cut short by the capture: a first one still tells its ports
            return None if part.at else _chained(part, part.of.body, part.of.ip_bytes)
        if not size or part.at + size > MOST:
            return None
        key = (part.of.version, part.of.source, part.of.target, part.ident)
        held = self._held.get(key)
        if held is None or now - held.begun > IDLE:
            held = self._held[key] = _Parts(now)
        for place, octet in enumerate(captured, part.at):
            held.octets.setdefault(place, octet)
        top = part.at + size
        if not part.more or (held.end is not None and top > held.end):
            held.end = max(held.end or 0, top)
        if not part.at:
            held.first = part
        run = next(place for place in count() if place not in held.octets)
        if held.end is None or held.first is None or run < held.end:
            return None
        del self._held[key]
        data = bytes(held.octets[place] for place in range(run))
        return _chained(held.first, View(data, run), held.first.header + run)


def _chained(first: Fragment, body: View, ip_bytes: int) -> Datagram | Fragment | None:
    """What follows the first fragment's header; in IPv6 it may be further headers."""
    of = first.of
    if of.version == 4:
        return replace(of, ip_bytes=ip_bytes, body=body)
    ends = (IPv6Address(of.source).packed, IPv6Address(of.target).packed)
    return Chain(*ends, body, body.size, ip_bytes, first.header).walk(of.protocol, 0)
