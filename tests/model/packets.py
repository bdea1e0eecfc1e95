"""Frames to packets, for the model: Ethernet with VLAN tags, IPv4, IPv6, TCP, UDP, ICMP.

What it does not know (fragments, tunnels, extension headers, other links) raises NotModelled: a test can say so.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import ip_address

TUNNEL_PORTS = {4789, 6081, 2152, 2123, 3544, 5072, 4754}
PAIRS = {
    1: {8: 0, 0: 8, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17, 10: 9, 9: 10},
    58: {
        128: 129,
        129: 128,
        133: 134,
        134: 133,
        135: 136,
        136: 135,
        130: 131,
        131: 130,
        139: 140,
        140: 139,
        144: 145,
        145: 144,
    },
}


class NotModelled(Exception):
    """The model does not know this kind of packet."""


@dataclass(frozen=True)
class Packet:
    """What the model needs of a packet."""

    time: int
    source: str
    target: str
    protocol: int
    sport: int
    dport: int
    paired: bool
    ip_bytes: int
    payload: int
    whole: bool
    flags: int = 0
    seq: int = 0
    ack: int = 0
    window: int = 1


def decode(time: int, frame: bytes, wire: int) -> Packet | None:
    """None for what is not IP or is cut short within its headers. Raises NotModelled."""
    if len(frame) < 14:
        return None
    kind, at = struct.unpack_from("!H", frame, 12)[0], 14
    while kind in (0x8100, 0x88A8) and len(frame) >= at + 4:
        kind, at = struct.unpack_from("!H", frame, at + 2)[0], at + 4
    if kind not in (0x0800, 0x86DD):
        if kind in (0x0806, 0x88CC):
            return None
        raise NotModelled(f"ethernet type {kind:#x}")
    return _ip(time, frame[at:], wire - at)


def _ip(time: int, data: bytes, wire: int) -> Packet | None:
    if len(data) < 20:
        return None
    if data[0] >> 4 == 4:
        size, (total, _, fragment) = (data[0] & 15) * 4, struct.unpack_from("!HHH", data, 2)
        protocol, source, target = data[9], data[12:16], data[16:20]
        if fragment & 0x3FFF or not total:
            raise NotModelled("fragment or offload")
    else:
        size, total, protocol = 40, 40 + struct.unpack_from("!H", data, 4)[0], data[6]
        source, target = data[8:24], data[24:40]
        if len(data) < 40:
            return None
    if total > wire or size < 20 or total < size:
        return None
    if protocol not in (1, 6, 17, 58):
        raise NotModelled(f"protocol {protocol}")
    ends = (str(ip_address(source)), str(ip_address(target)), protocol)
    return _transport(time, ends, total, data[size:total], total - size)


def _transport(time: int, ends: tuple[str, str, int], total: int, body: bytes, length: int) -> Packet | None:
    whole = len(body) == length
    protocol = ends[2]
    if len(body) < (20 if protocol == 6 else 8):
        return None
    if protocol in PAIRS:
        other = PAIRS[protocol].get(body[0])
        port = body[1] if other is None else other
        return Packet(time, *ends, body[0], port, other is not None, total, length - 8, whole)
    if protocol == 17:
        sport, dport, size = struct.unpack_from("!HHH", body)
        if {sport, dport} & TUNNEL_PORTS or _like_a_tunnel(body[8:]):
            raise NotModelled("tunnel")
        return Packet(time, *ends, sport, dport, True, total, max(0, size - 8), whole)
    sport, dport, seq, ack, offset, flags, window = struct.unpack_from("!HHIIBBH", body)
    if not 20 <= (offset >> 4) * 4 <= len(body):
        raise NotModelled("bad TCP header")
    payload = length - (offset >> 4) * 4
    return Packet(time, *ends, sport, dport, True, total, payload, whole, flags, seq, ack, window)


def _like_a_tunnel(data: bytes) -> bool:
    """Whether it might be Teredo or AYIYA on a port of its own."""
    return data[1:3] == b"\x52\x11" or (len(data) >= 40 and (data[0] >> 4 == 6 or data[:2] in (b"\0\0", b"\0\1")))
