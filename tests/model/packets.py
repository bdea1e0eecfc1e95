"""From a datagram to what the flow table needs: the headers of TCP, UDP and ICMP; else the protocol alone."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from .ip import NO_NEXT, Datagram
from .view import View

ICMP, TCP, UDP, ESP, ICMP6 = 1, 6, 17, 50, 58
PAIRS = {
    ICMP: {8: 0, 13: 14, 15: 16, 17: 18, 10: 9},
    ICMP6: {128: 129, 133: 134, 135: 136, 130: 131, 139: 140, 144: 145},
}
"""Kinds of ICMP that ask, and the kinds that answer."""
for _kinds in PAIRS.values():
    _kinds.update({answer: question for question, answer in list(_kinds.items())})


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
    headless: bool = False
    """A TCP header that cannot be used: there is a conversation, and no more."""
    vlans: tuple[int, ...] = ()


def read(time: int, datagram: Datagram, vlans: tuple[int, ...]) -> Packet | None:
    """None where its header is cut short, and for what has no conversation (encrypted, or nothing)."""
    body = datagram.body
    whole = len(body) == body.size
    ends = (time, datagram.source, datagram.target, datagram.protocol)
    total = datagram.ip_bytes
    if datagram.protocol == TCP:
        return _tcp(ends, total, body, vlans) if len(body) >= 20 else None
    if datagram.protocol == UDP:
        if len(body) < 8:
            return None
        sport, dport, size = struct.unpack_from("!HHH", body.data)
        return Packet(*ends, sport, dport, True, total, max(0, size - 8), whole, vlans=vlans)
    if datagram.protocol in PAIRS:
        if len(body) < 8:
            return None
        kind, code = body.data[:2]
        other = PAIRS[datagram.protocol].get(kind)
        ports = (kind, code if other is None else other, other is not None)
        return Packet(*ends, *ports, total, body.size - 8, whole, vlans=vlans)
    if datagram.protocol in (ESP, NO_NEXT):
        return None
    return Packet(*ends, 0, 0, True, total, 0, True, vlans=vlans)


def _tcp(ends: tuple[int, str, str, int], total: int, body: View, vlans: tuple[int, ...]) -> Packet:
    sport, dport, seq, ack, offset, flags, window = struct.unpack_from("!HHIIBBH", body.data)
    header = (offset >> 4) * 4
    if not 20 <= header <= len(body):
        return Packet(*ends, sport, dport, True, total, 0, False, headless=True, vlans=vlans)
    whole = len(body) == body.size
    return Packet(*ends, sport, dport, True, total, body.size - header, whole, flags, seq, ack, window, vlans=vlans)
