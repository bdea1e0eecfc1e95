"""Frames for the analyzer's tests, with right checksums, and capture files of them."""

from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import TYPE_CHECKING

from netcrier.analyzerd.capture import source, walking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netcrier.analyzerd.engine import Batch
    from netcrier.analyzerd.engine.kernel import Kernel

FIN, SYN, RST, ACK = 1, 2, 4, 16
SECOND = 1_000_000_000
CLIENT, SERVER = "10.0.0.1", "10.0.0.2"


def ones(data: bytes) -> int:
    """The checksum of RFC 1071."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip(source: str, target: str, protocol: int, payload: bytes, *, fragment: int = 0, ident: int = 1) -> bytes:
    """An IP packet of the version that the addresses have; `fragment` is IPv4's flags and offset field."""
    a, b = ip_address(source), ip_address(target)
    if a.version == 6:
        return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + a.packed + b.packed + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), ident, fragment, 64, protocol, 0) + a.packed + b.packed
    return head[:10] + struct.pack("!H", ones(head)) + head[12:] + payload


def with_sum(source: str, target: str, protocol: int, segment: bytes, at: int) -> bytes:
    """A segment with its checksum."""
    a, b = ip_address(source), ip_address(target)
    pseudo = a.packed + b.packed + struct.pack("!IxxxB", len(segment), protocol)
    return segment[:at] + struct.pack("!H", ones(pseudo + segment)) + segment[at + 2 :]


def ethernet(packet: bytes) -> bytes:
    """Around an IP packet."""
    kind = 0x0800 if packet[0] >> 4 == 4 else 0x86DD
    return bytes.fromhex("020000000002020000000001") + struct.pack("!H", kind) + packet


def tcp(
    source: str,
    sport: int,
    target: str,
    dport: int,
    flags: int,
    seq: int,
    ack: int = 0,
    data: bytes = b"",
    window: int = 1024,
) -> bytes:
    """A frame with a TCP segment."""
    head = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, 0x50, flags, window, 0, 0)
    return ethernet(ip(source, target, 6, with_sum(source, target, 6, head + data, 16)))


def udp(source: str, sport: int, target: str, dport: int, data: bytes = b"") -> bytes:
    """A frame with a UDP datagram."""
    segment = struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data
    return ethernet(ip(source, target, 17, with_sum(source, target, 17, segment, 6)))


def icmp(source: str, target: str, kind: int, code: int = 0, data: bytes = b"") -> bytes:
    """A frame with an ICMP message."""
    message = struct.pack("!BBHHH", kind, code, 0, 1, 1) + data
    return ethernet(ip(source, target, 1, message[:2] + struct.pack("!H", ones(message)) + message[4:]))


def pcap(frames: list[tuple[int, bytes]], *, order: str = "<", nanoseconds: bool = False, link: int = 1) -> bytes:
    """A pcap file of (time in nanoseconds, frame)."""
    magic, unit = (0xA1B23C4D, 1) if nanoseconds else (0xA1B2C3D4, 1000)
    data = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    for time, frame in frames:
        fields = (time // SECOND, time % SECOND // unit, len(frame), len(frame))
        data += struct.pack(f"{order}IIII", *fields) + frame
    return data


def block(order: str, kind: int, body: bytes) -> bytes:
    """A pcapng block."""
    body += b"\0" * (-len(body) % 4)
    size = struct.pack(f"{order}I", len(body) + 12)
    return struct.pack(f"{order}I", kind) + size + body + size


def section(order: str = "<") -> bytes:
    """A pcapng section header."""
    return block(order, 0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(order: str = "<", link: int = 1, options: bytes = b"") -> bytes:
    """A pcapng interface description."""
    return block(order, 1, struct.pack(f"{order}HHI", link, 0, 65535) + options)


def enhanced(time: int, frame: bytes, order: str = "<", number: int = 0) -> bytes:
    """An enhanced packet block; `time` in ticks of the interface's clock."""
    fields = (number, time >> 32, time & 0xFFFFFFFF, len(frame), len(frame))
    return block(order, 6, struct.pack(f"{order}IIIII", *fields) + frame)


def walk(kernel: Kernel, *chunks: bytes) -> Iterator[list[Batch]]:
    """A capture that comes in these pieces, through a scout and the kernel."""
    return walking.walk(kernel, walking.portions(kernel, source.filling(chunks)))
