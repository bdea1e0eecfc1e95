"""From a frame to the IP packets in it: link layers (tcpdump.org's LINKTYPE_ numbers), tags and labels.

A frame that is cut short within its headers, or holds something else, has none; an aggregate has several.
"""

from __future__ import annotations

from collections.abc import Callable

from .view import View

Found = list[tuple[View, tuple[int, ...]]]
"""IP packets, each with the VLANs around it."""

IP4, IP6, VLAN_TAGS, MPLS_LABELS = 0x0800, 0x86DD, (0x8100, 0x88A8, 0x9100), (0x8847, 0x8848)
LENGTHS, TYPES = (
    1500,
    0x0600,
)  # what stands where Ethernet has its type: up to the one a length, from the other on a type


def packets(link: int, frame: View) -> Found:
    """The IP packets of a frame of this link type."""
    layer = LINKS.get(link)
    return layer(frame) if layer else []


def ip(packet: View) -> Found:
    return [(packet, ())]


def ethernet(frame: View, vlans: tuple[int, ...] = ()) -> Found:
    """IEEE 802.3, also behind the 16 bytes of Cisco FabricPath."""
    if len(frame) <= 16:
        return []
    if frame.two(12) == 0x8903:
        frame = frame.behind(16)
        if len(frame) <= 14:
            return []
    kind, rest = frame.two(12), frame.behind(14)
    if LENGTHS < kind < TYPES or (kind <= LENGTHS and len(rest) < kind):
        return []
    return by_type(kind, rest, vlans)


def by_type(kind: int, rest: View, vlans: tuple[int, ...] = ()) -> Found:
    """What follows an Ethernet type; a number below is a length, and LLC follows."""
    if kind in (IP4, IP6):
        return [(rest, vlans)]
    if kind in VLAN_TAGS:
        return _tagged(rest, vlans)
    if kind in MPLS_LABELS:
        return [(packet, vlans + more) for packet, more in mpls(rest)]
    if kind == 0x8864:  # PPPoE session, RFC 2516
        return [(packet, vlans + more) for packet, more in ppp(rest.behind(6))] if len(rest) > 8 else []
    if kind == 0x8926:  # VNTag
        return by_type(rest.two(4), rest.behind(6), vlans) if len(rest) > 6 else []
    if kind == 0x88E7:  # provider backbone bridge, IEEE 802.1ah
        return ethernet(rest.behind(4), vlans) if len(rest) > 18 else []
    if kind == 0x6558:
        return ethernet(rest, vlans)
    return _llc(rest, vlans) if kind < TYPES else []


def _tagged(rest: View, vlans: tuple[int, ...]) -> Found:
    """IEEE 802.1Q: 12 bits of VLAN and the next type."""
    if len(rest) <= 4:
        return []
    kind = rest.two(2)
    if LENGTHS < kind < TYPES:
        return []
    return by_type(kind, rest.behind(4), (*vlans, rest.two(0) & 0xFFF))


def _llc(rest: View, vlans: tuple[int, ...]) -> Found:
    """IEEE 802.2 with SNAP: the control field has one byte in an unnumbered frame, else two."""
    if len(rest) < 3 or rest.data[:2] != b"\xaa\xaa":
        return []
    size = 3 if rest.data[2] & 3 == 3 else 4
    snap = rest.behind(size)
    if len(snap) < 5 or snap.data[:3] != bytes(3) or snap.two(3) < TYPES:
        return []
    return by_type(snap.two(3), snap.behind(5), vlans)


def mpls(rest: View) -> Found:
    """RFC 3032: what is below the last label shows by its first four bits; 0 is a pseudowire (RFC 4448)."""
    while len(rest) > 4:
        last, rest = rest.data[2] & 1, rest.behind(4)
        if last:
            inside = rest.data[0] >> 4
            return ip(rest) if inside in (4, 6) else ethernet(rest.behind(4)) if inside == 0 else []
    return []


def ppp(rest: View) -> Found:
    """RFC 1661."""
    if len(rest) < 2:
        return []
    kind, rest = rest.two(0), rest.behind(2)
    return ip(rest) if kind in (0x0021, 0x0057) else mpls(rest) if kind in (0x0281, 0x0283) else []


def _ppp_serial(frame: View) -> Found:
    if len(frame) <= 4:
        return []
    return ppp(frame.behind(2) if frame.data[:2] == b"\xff\x03" else frame)


def _loopback(frame: View) -> Found:
    """BSD's family in either byte order: one IPv4, five kinds of IPv6."""
    if len(frame) <= 4:
        return []
    families = {frame.four(0), frame.little(0, 4)}
    return ip(frame.behind(4)) if families & {2, 10, 24, 28, 30} else []


def _cooked(header: int, type_at: int) -> Callable[[View], Found]:
    """Linux cooked, version 1 or 2."""
    return lambda frame: by_type(frame.two(type_at), frame.behind(header)) if len(frame) > header else []


def wireless(frame: View) -> Found:
    """IEEE 802.11: data frames that are not encrypted; of an aggregate (A-MSDU) every part."""
    if len(frame) <= 24:
        return []
    control, direction = frame.data[0], frame.data[1]
    kind, subtype = control >> 2 & 3, control >> 4
    header = 30 if direction & 3 == 3 else 24
    if kind != 2 or subtype & 4 or direction & 0x40 or len(frame) <= header + 2:
        return []
    body = frame.behind(header)
    if not subtype & 8:
        return _behind_addresses(body)
    aggregate = body.data[0] & 0x80
    return _parts(body.behind(2)) if aggregate else _behind_addresses(body.behind(2))


def _behind_addresses(body: View) -> Found:
    return _llc(body, ()) if len(body) >= 8 else []


def _parts(body: View) -> Found:
    """Each has addresses, a length, and is filled up to four bytes."""
    found: Found = []
    while len(body) >= 14 and body.two(12) <= len(body) - 14:
        size = body.two(12)
        found += _behind_addresses(body.behind(14).first(size))
        body = body.behind((14 + size + 3) // 4 * 4)
    return found


def _behind_metadata(size: int, frame: View, least: int) -> Found:
    """802.11 after radiotap, Prism or AVS."""
    return wireless(frame.behind(size)) if least <= size < len(frame) else []


def _radiotap(frame: View) -> Found:
    return _behind_metadata(frame.little(2), frame, 8) if len(frame) >= 4 else []


def _avs(frame: View) -> Found:
    return _behind_metadata(frame.four(4), frame, 8) if len(frame) > 8 else []


def _prism(frame: View) -> Found:
    avs = len(frame) > 8 and frame.four(0) >> 12 == 0x80211
    return _behind_metadata(frame.four(4) if avs else 144, frame, 0)


def _ppi(frame: View) -> Found:
    """Its header says its own length and the link type of what follows."""
    if len(frame) < 8 or not 8 <= frame.little(2) < len(frame) or frame.little(4) == 192:
        return []
    return packets(frame.little(4), frame.behind(frame.little(2)))


def _nflog(frame: View) -> Found:
    """Records of length and type in either byte order; type 9 is the packet."""
    if len(frame) <= 4 or frame.data[1]:
        return []
    rest = frame.behind(4)
    big = len(rest) > 4 and rest.little(2) > 255 and not rest.data[2]
    while len(rest) > 4:
        size, kind = (rest.two(0), rest.two(2)) if big else (rest.little(0), rest.little(2))
        if kind == 9:
            return ip(rest.behind(4))
        if size < 4:
            return []
        rest = rest.behind((size + 3) // 4 * 4)
    return []


def _fddi(frame: View) -> Found:
    return _llc(frame.behind(13), ()) if len(frame) >= 21 else []


LINKS: dict[int, Callable[[View], Found]] = {
    0: _loopback,
    1: ethernet,
    9: _ppp_serial,
    10: _fddi,
    12: ip,
    14: ip,
    50: _ppp_serial,
    51: _ppp_serial,
    101: ip,
    105: wireless,
    108: _loopback,
    113: _cooked(16, 14),
    119: _prism,
    127: _radiotap,
    163: _avs,
    192: _ppi,
    228: ip,
    229: ip,
    239: _nflog,
    276: _cooked(20, 0),
}
