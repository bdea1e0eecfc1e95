"""What a tunnel carries: IP in IP, GRE and what rides on it, tunnels over UDP by the responder's port or by content.

`Inside` says which IP packets, and in what kind of tunnel. None: it is no tunnel of this kind after all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import links
from .ip import NO_NEXT
from .links import Found
from .view import View

IP_IN_IP, IP6_IN_IP, GRE = 4, 41, 47
IN_GRE, GTP = "GRE", "GTP"


@dataclass(frozen=True)
class Inside:
    """`kind` is told apart only for GTP, which is never in GTP."""

    packets: Found
    kind: str = ""


NOTHING = Inside([])


def fits(packet: View) -> bool:
    """Whether an IP packet fills what was captured of the layer around it, no more and no less."""
    if len(packet) < 20:
        return False
    version = packet.data[0] >> 4
    if version == 6:
        return len(packet) >= 40 and packet.two(4) + 40 == len(packet)
    return version == 4 and packet.two(2) == len(packet)


def in_ip(protocol: int, body: View) -> Inside:
    """RFC 2003, 4213: the packet inside has the version that the protocol says, and fits."""
    version = {IP_IN_IP: 4, IP6_IN_IP: 6}[protocol]
    packet = View(body.data, body.size)
    return Inside(links.ip(packet)) if fits(packet) and packet.data[0] >> 4 == version else NOTHING


def gre(body: View) -> Inside:
    """RFC 2784, 2890; version 1 is PPTP's (RFC 2637). Ethernet, ERSPAN, Aruba's 802.11, or by Ethernet type."""
    if len(body) < 4:
        return NOTHING
    flags, kind = body.two(0), body.two(2)
    size = 4 + 4 * sum(bool(flags & flag) for flag in (0x8000, 0x2000, 0x1000, 0x0080))
    if flags & 7 > 1 or flags & 0x4078:
        return NOTHING
    if flags & 7 == 1:
        return _pptp(kind, body, size)
    ethernet = {0x6558: 0, 0x88BE: 8 if flags & 0x1000 else 0, 0x22EB: 12}
    if kind in ethernet:
        size += ethernet[kind]
        if kind == 0x22EB and len(body) >= size + 14 and body.data[size - 1] & 1:
            size += 8
        return Inside(links.ethernet(body.behind(size))) if len(body) > size + 14 else NOTHING
    if len(body) < size:
        return NOTHING
    rest = body.behind(size)
    if kind & 0xFF0F == 0x8200 or (kind & 0xFF0F == 0x8300 and kind <= 0x8370) or kind == 0x9000:
        return Inside(links.wireless(rest))
    return Inside(links.by_type(kind, rest) if kind >= 0x8000 and kind != links.IP6 else links.ip(rest))


def _pptp(kind: int, body: View, size: int) -> Inside:
    """PPP with its address field."""
    if kind != 0x880B or len(body) < size + 4:
        return NOTHING
    protocol = {0x0021: IP_IN_IP, 0x0057: IP6_IN_IP}.get(body.two(size + 2))
    return in_ip(protocol, body.behind(size + 4)) if protocol else NOTHING


def vxlan(body: View) -> Inside | None:
    """RFC 7348."""
    if len(body) < 8 or not body.data[0] & 8:
        return None
    return Inside(links.ethernet(body.behind(8)))


def geneve(body: View) -> Inside | None:
    """RFC 8926."""
    if len(body) < 8:
        return None
    if body.data[0] >> 6:
        return NOTHING
    size = 8 + (body.data[0] & 0x3F) * 4
    return Inside(links.by_type(body.two(2), body.behind(size))) if size <= len(body) else None


def ayiya(body: View) -> Inside | None:
    """draft-massar-v6ops-ayiya: identity, signature, then what `forward` (1) carries."""
    if len(body) < 8:
        return None
    size = 8 + (1 << (body.data[0] >> 4)) + (body.data[1] >> 4) * 4
    if size > len(body):
        return None
    carries = body.data[2] & 15 == 1 and body.data[3] in (IP_IN_IP, IP6_IN_IP)
    return Inside(links.ip(body.behind(size))) if carries else NOTHING


def teredo(body: View) -> Inside | None:
    """RFC 4380: authentication, then origin, both optional, then IPv6; a bubble may have something after it."""
    if len(body) >= 2 and body.two(0) == 1:
        size = 13 + body.data[2] + body.data[3] if len(body) >= 4 else len(body) + 1
        if len(body) < size:
            return None
        body = body.behind(size)
    if len(body) >= 2 and body.two(0) == 0:
        if len(body) < 8:
            return None
        body = body.behind(8)
    if len(body) < 40 or body.data[0] >> 4 != 6:
        return None
    bubble = len(body) > 40 and body.data[6] == NO_NEXT and not body.two(4)
    return Inside(links.ip(body)) if bubble or fits(body) else None


def like_teredo(body: View) -> bool:
    """By content, on any port: an address of 2001::/32, or IPv6 behind an origin indication.

    Of the indication's two bytes the second is looked at where there is no authentication (as in Zeek).
    """
    if len(body) < 40 or not (body.data[0] >> 4 == 6 or body.two(0) < 2):
        return False
    if body.data[0] >> 4 == 6 and b"\x20\x01\0\0" in (body.data[8:12], body.data[24:28]):
        return True
    if body.data[1] == 1:
        body = body.behind(13 + body.data[2] + body.data[3])
        if body.two(0):
            return False
    elif body.data[1]:
        return False
    return len(body) >= 48 and body.data[8] >> 4 == 6


def gtp(body: View) -> Inside | None:
    """GTPv1-U (3GPP TS 29.281): a user's packet, behind optional fields and extension headers."""
    if len(body) < 8 or body.data[0] >> 4 != 3 or body.data[1] != 255:
        return NOTHING
    size = 8
    if body.data[0] & 7:
        if len(body) < 12:
            return NOTHING
        kind, size = body.data[11] if body.data[0] & 4 else 0, 12
        while kind:
            if len(body) < size + 4 or not body.data[size] or len(body) < size + body.data[size] * 4:
                return NOTHING
            size += body.data[size] * 4
            kind = body.data[size - 1]
    rest = body.behind(size)
    return Inside(links.ip(rest), GTP) if fits(rest) else NOTHING


def gre_in_udp(body: View) -> Inside | None:
    """RFC 8086."""
    return gre(body)


BY_PORT: dict[int, Callable[[View], Inside | None]] = {
    4789: vxlan,
    6081: geneve,
    2152: gtp,
    2123: gtp,
    4754: gre_in_udp,
    3544: teredo,
    5072: ayiya,
}
SAID_IN_HISTORY = (vxlan, geneve, ayiya, teredo)
"""Of these the history says where one lies too deep."""


def over_udp(port: int, body: View) -> Callable[[View], Inside | None] | None:
    """How to read a datagram to this responder's port."""
    if port in BY_PORT and port not in (3544, 5072):
        return BY_PORT[port]
    if port == 3544 or like_teredo(body):
        return teredo
    if port == 5072 or (len(body) >= 8 and body.data[1:3] == b"\x52\x11"):
        return ayiya
    return None
