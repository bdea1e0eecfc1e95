"""Layers to put around an IP packet, in any order and number: what the analyzer is to look through."""

from __future__ import annotations

import struct
from collections.abc import Callable

from tests.unit.analyzerd import frames
from tests.unit.analyzerd.frames import CLIENT, SERVER

CLIENT6, SERVER6 = "fd00::1", "fd00::2"
Wrap = Callable[[bytes], bytes]


def kind_of(packet: bytes) -> int:
    """Its Ethernet type."""
    return 0x86DD if packet[:1] and packet[0] >> 4 == 6 else 0x0800


def ethernet(packet: bytes) -> bytes:
    """Also around what is no whole packet."""
    return frames.ethernet(packet or b"\0")


def in_ip(packet: bytes) -> bytes:
    """RFC 2003, 4213."""
    return frames.ip(CLIENT, SERVER, 41 if kind_of(packet) == 0x86DD else 4, packet)


def in_ip6(packet: bytes) -> bytes:
    return frames.ip(CLIENT6, SERVER6, 41 if kind_of(packet) == 0x86DD else 4, packet)


def gre(kind: int, body: bytes, flags: int = 0, options: bytes = b"") -> bytes:
    """An IP packet with GRE."""
    return frames.ip(CLIENT, SERVER, 47, struct.pack("!HH", flags, kind) + options + body)


def udp(port: int, header: bytes, body: bytes) -> bytes:
    """An IP packet with a datagram to this port."""
    return frames.udp(CLIENT, 5000, SERVER, port, header + body)[14:]


def wireless(packet: bytes) -> bytes:
    """An 802.11 data frame, with quality of service."""
    return bytes([0x88, 2]) + bytes(24) + b"\xaa\xaa\3\0\0\0" + struct.pack("!H", kind_of(packet)) + packet


def aggregate(packet: bytes) -> bytes:
    """An A-MSDU with the packet twice."""
    body = b"\xaa\xaa\3\0\0\0" + struct.pack("!H", kind_of(packet)) + packet
    part = bytes(12) + struct.pack("!H", len(body)) + body
    return bytes([0x88, 2]) + bytes(22) + b"\x80\0" + part + bytes(-len(part) % 4) + part


def extended(packet: bytes) -> bytes:
    """IPv6 with hop-by-hop options, a routing header with a last address, and a home address."""
    if kind_of(packet) != 0x86DD or len(packet) < 40:
        return packet
    hops = bytes([43, 0]) + bytes(6)
    route = bytes([60, 2, 0, 1]) + bytes(4) + bytes.fromhex("fd00000000000000000000000000000a")
    home = bytes([packet[6], 2, 1, 2, 0, 0, 201, 16]) + bytes.fromhex("fd00000000000000000000000000000b")
    body = hops + route + home + packet[40:]
    return packet[:4] + struct.pack("!HB", len(body), 0) + packet[7:40] + body


def fragments(packet: bytes, at: int, ident: int) -> list[bytes]:
    """The packet in two, the first with `at` units of 8 bytes; one that is too short stays whole."""
    cut = at * 8
    if kind_of(packet) == 0x86DD:
        head, body = packet[:40], packet[40:]
        if not 0 < cut < len(body):
            return [packet]
        parts = []
        for offset, more, piece in ((0, 1, body[:cut]), (cut, 0, body[cut:])):
            extra = struct.pack("!BBHI", head[6], 0, offset | more, ident)
            parts.append(head[:4] + struct.pack("!HB", 8 + len(piece), 44) + head[7:] + extra + piece)
        return parts
    head, body = packet[:20], packet[20:]
    if not 0 < cut < len(body):
        return [packet]
    parts = []
    for field, piece in ((0x2000, body[:cut]), (at, body[cut:])):
        parts.append(head[:2] + struct.pack("!HHH", 20 + len(piece), ident, field) + head[8:] + piece)
    return parts


TUNNELS: dict[str, Wrap] = {
    "IP in IPv4": in_ip,
    "IP in IPv6": in_ip6,
    "GRE": lambda packet: gre(kind_of(packet), packet),
    "GRE with key and sequence": lambda packet: gre(kind_of(packet), packet, 0x3000, bytes(8)),
    "GRE around Ethernet": lambda packet: gre(0x6558, ethernet(packet)),
    "GRE around MPLS": lambda packet: gre(0x8847, b"\0\0\1\1" + packet),
    "ERSPAN I": lambda packet: gre(0x88BE, ethernet(packet)),
    "ERSPAN II": lambda packet: gre(0x88BE, bytes(8) + ethernet(packet), 0x1000, bytes(4)),
    "ERSPAN III": lambda packet: gre(0x22EB, bytes(12) + ethernet(packet), 0x1000, bytes(4)),
    "ERSPAN III with more": lambda packet: gre(
        0x22EB, bytes(11) + b"\1" + bytes(8) + ethernet(packet), 0x1000, bytes(4)
    ),
    "Aruba": lambda packet: gre(0x8200, wireless(packet)),
    "PPTP": lambda packet: gre(
        0x880B, b"\xff\3\0" + (b"\x57" if kind_of(packet) == 0x86DD else b"\x21") + packet, 0x3001, bytes(8)
    ),
    "VXLAN": lambda packet: udp(4789, b"\x08\0\0\0\0\0\1\0", ethernet(packet)),
    "Geneve": lambda packet: udp(6081, bytes.fromhex("0100655800000100") + bytes(4), ethernet(packet)),
    "Geneve around IP": lambda packet: udp(6081, struct.pack("!HHI", 0, kind_of(packet), 0), packet),
    "GTP": lambda packet: udp(2152, b"\x30\xff\0\0\0\0\0\1", packet),
    "GTP with an extension": lambda packet: udp(2152, b"\x34\xff\0\0\0\0\0\1\0\0\0\x85\1\0\0\0", packet),
    "Teredo": lambda packet: udp(3544, b"", packet),
    "Teredo with origin": lambda packet: udp(3544, bytes(8), packet),
    "Teredo with both": lambda packet: udp(999, b"\0\1\1\2" + bytes(12) + bytes(8), packet),
    "AYIYA": lambda packet: udp(5072, bytes.fromhex("4052112900000000") + bytes(36), packet),
    "GRE in UDP": lambda packet: udp(4754, struct.pack("!HH", 0, kind_of(packet)), packet),
}
"""An IP packet in, an IP packet out."""


def _typed(header: bytes) -> Wrap:
    """Behind Ethernet addresses and these bytes, then the packet's Ethernet type."""
    return lambda packet: bytes(12) + header + struct.pack("!H", kind_of(packet)) + packet


def _ppp(packet: bytes) -> bytes:
    return (b"\0\x57" if kind_of(packet) == 0x86DD else b"\0\x21") + packet


def _snap(packet: bytes) -> bytes:
    body = b"\xaa\xaa\3\0\0\0" + struct.pack("!H", kind_of(packet)) + packet
    return bytes(12) + struct.pack("!H", min(len(body), 1500)) + body


LINKS: dict[str, tuple[int, Wrap]] = {
    "Ethernet": (1, ethernet),
    "VLAN": (1, _typed(b"\x81\0\0\x07")),
    "QinQ": (1, _typed(b"\x88\xa8\0\x07\x81\0\0\x09")),
    "three tags": (1, _typed(b"\x81\0\0\0\x81\0\0\x07\x91\0\0\x09")),
    "MPLS": (1, lambda packet: bytes(12) + b"\x88\x47" + b"\0\0\0\1" + b"\0\0\1\1" + packet),
    "MPLS pseudowire": (1, lambda packet: bytes(12) + b"\x88\x48" + b"\0\0\1\1" + bytes(4) + ethernet(packet)),
    "PPPoE": (1, lambda packet: bytes(12) + b"\x88\x64\x11\0\0\1\0\x20" + _ppp(packet)),
    "VNTag": (1, _typed(b"\x89\x26\0\0\0\0")),
    "PBB": (1, lambda packet: bytes(12) + b"\x88\xe7" + bytes(4) + ethernet(packet)),
    "FabricPath": (1, lambda packet: bytes(12) + b"\x89\3\0\0" + ethernet(packet)),
    "SNAP": (1, _snap),
    "raw": (101, lambda packet: packet),
    "loopback": (0, lambda packet: b"\2\0\0\0" + packet),
    "loopback of a big-endian machine": (108, lambda packet: b"\0\0\0\x1e" + packet),
    "cooked": (113, lambda packet: bytes(14) + struct.pack("!H", kind_of(packet)) + packet),
    "cooked v2": (276, lambda packet: struct.pack("!H", kind_of(packet)) + bytes(18) + packet),
    "PPP": (9, lambda packet: b"\xff\3" + _ppp(packet)),
    "802.11": (105, wireless),
    "A-MSDU": (105, aggregate),
    "radiotap": (127, lambda packet: b"\0\0\x0a\0" + bytes(6) + wireless(packet)),
    "Prism": (119, lambda packet: bytes(144) + wireless(packet)),
    "AVS": (163, lambda packet: b"\0\0\0\0" + struct.pack("!I", 12) + bytes(4) + wireless(packet)),
    "PPI": (192, lambda packet: b"\0\0\x08\0\x01\0\0\0" + ethernet(packet)),
    "NFLOG": (239, lambda packet: b"\2\0\0\0" + b"\x06\0\1\0ab\0\0" + struct.pack("<HH", 4 + len(packet), 9) + packet),
    "FDDI": (10, lambda packet: bytes(13) + b"\xaa\xaa\3\0\0\0" + struct.pack("!H", kind_of(packet)) + packet),
}
"""A link type, and an IP packet in, a frame out."""
