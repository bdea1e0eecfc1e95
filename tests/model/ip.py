"""The IP header and what IPv6 chains behind it (RFC 791, 8200), down to a transport or to a fragment."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from .view import View

HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, NO_NEXT, OPTIONS, MOBILITY = 0, 43, 44, 51, 59, 60, 135
HOME_ADDRESS = 201
LENGTHLESS = (1, 6, 17, 58)


@dataclass(frozen=True)
class Datagram:
    """An IP packet that is whole, or was cut short by the capture; `body` is what its header announces."""

    version: int
    source: str
    target: str
    protocol: int
    ip_bytes: int
    body: View


@dataclass(frozen=True)
class Fragment:
    """A part of one: its place, and whether more follow; `header` is the bytes before the fragmentable part."""

    of: Datagram
    ident: int
    at: int
    more: bool
    header: int


def parse(packet: View) -> Datagram | Fragment | None:
    """None where the header is cut short or contradicts itself, or where no transport follows."""
    if len(packet) < 20:
        return None
    version = packet.data[0] >> 4
    return _four(packet) if version == 4 else _six(packet) if version == 6 and len(packet) >= 40 else None


def _four(packet: View) -> Datagram | Fragment | None:
    header, total, field = (packet.data[0] & 15) * 4, packet.two(2), packet.two(6)
    size = total or len(packet)  # 0: the card that sends it fills it in
    if size > packet.size or size < header or not 20 <= header <= len(packet):
        return None
    ends = (str(IPv4Address(packet.data[12:16])), str(IPv4Address(packet.data[16:20])))
    kind, part = packet.data[9], bool(field & 0x3FFF)
    whole = Datagram(4, *ends, kind, total, _announced(packet, header, size, None if part else kind))
    return Fragment(whole, packet.two(4), (field & 0x1FFF) * 8, bool(field & 0x2000), header) if part else whole


def _six(packet: View) -> Datagram | Fragment | None:
    total = 40 + packet.two(4)
    if total > packet.size:
        return None
    chain = Chain(packet.data[8:24], packet.data[24:40], packet, total, total)
    return chain.walk(packet.data[6], 40)


def _announced(packet: View, at: int, end: int, kind: int | None) -> View:
    """The transport's part: what was captured where its length was left out (offload, jumbogram), but of fragments."""
    if at == end and kind in LENGTHLESS:
        end = max(at, len(packet))
    return View(packet.data[at:end], end - at)


@dataclass
class Chain:
    """Headers in `packet` up to `end`; `before` bytes of header stood in front of it."""

    source: bytes
    target: bytes
    packet: View
    end: int
    ip_bytes: int
    before: int = 0
    final: bytes | None = None
    """Where the first of several routing headers sends it."""

    def walk(self, kind: int, at: int) -> Datagram | Fragment | None:
        """From the header at `at` on, which is one of `kind`."""
        data = self.packet.data
        while kind in (HOP_BY_HOP, ROUTING, OPTIONS, AUTHENTICATION, FRAGMENT):
            if min(self.end, len(data)) - at < 8:
                return None
            if kind == FRAGMENT:
                field, ident = self.packet.two(at + 2), self.packet.four(at + 4)
                kind, at = data[at], at + 8
                if field & 0xFFF9:
                    return Fragment(
                        self._datagram(kind, at, part=True),
                        ident,
                        field & 0xFFF8,
                        bool(field & 1),
                        self.before + at - 8,
                    )
                self.ip_bytes -= 8 * (len(data) >= self.end)  # this one part is all of it
                continue
            size = (data[at + 1] + 2) * 4 if kind == AUTHENTICATION else (data[at + 1] + 1) * 8
            if size > min(self.end, len(data)) - at:
                return None
            header = data[at : at + size]
            if kind == OPTIONS:
                self.source = _home(header[2:]) or self.source
            elif kind == ROUTING:
                self.final = self.final or _final(header)
            kind, at = header[0], at + size
        return None if kind == MOBILITY else self._datagram(kind, at)

    def _datagram(self, kind: int, at: int, part: bool = False) -> Datagram:
        body = _announced(self.packet, at, self.end, None if part else kind)
        return Datagram(6, _text(self.source), _text(self.final or self.target), kind, self.ip_bytes, body)


def _text(address: bytes) -> str:
    """RFC 5952, with an IPv4 address that is mapped in its own form."""
    mapped = IPv6Address(address).ipv4_mapped
    return f"::ffff:{mapped}" if mapped else str(IPv6Address(address))


def _home(options: bytes) -> bytes | None:
    """A mobile node's own address (RFC 6275)."""
    while len(options) >= 2:
        if not options[0]:  # a byte of padding has no length
            options = options[1:]
            continue
        size = options[1]
        if size > len(options) - 2:
            break
        if (options[0], size) == (HOME_ADDRESS, 16):
            return options[2:18]
        options = options[2 + size :]
    return None


def _final(header: bytes) -> bytes | None:
    """Where it goes in the end: type 0 lists addresses (RFC 2460), type 2 has the mobile node's (RFC 6275)."""
    kind, left, addresses = header[2], header[3], (len(header) - 8) / 16
    if left and ((kind == 0 and addresses >= 1 and addresses % 1 == 0) or (kind == 2 and addresses == 1)):
        return header[-16:]
    return None
