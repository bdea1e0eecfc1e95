"""A generated capture: whole TCP conversations, interleaved, with right checksums.

Every conversation has 20 packets: a handshake, requests and answers of up to 1000 bytes, an end by both sides.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

PACKETS = 20
SPREAD = 500
"""Conversations that are open at one time."""
FIN, SYN, PUSH, ACK = 1, 2, 8, 16


def _ones(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def _script() -> list[tuple[bool, int, int, int, int]]:
    """(from the client, flags, sequence, acknowledgement, bytes)."""
    steps, seq, ack = [(True, SYN, 0, 0, 0), (False, SYN | ACK, 0, 1, 0), (True, ACK, 1, 1, 0)], 1, 1
    for _ in range(4):
        steps.append((True, PUSH | ACK, seq, ack, 120))
        seq += 120
        steps.append((False, ACK, ack, seq, 1000))
        ack += 1000
        steps.append((True, ACK, seq, ack, 0))
    steps += [(False, PUSH | ACK, ack, seq, 300), (True, ACK, seq, ack + 300, 0)]
    ack += 300
    steps += [(True, FIN | ACK, seq, ack, 0), (False, FIN | ACK, ack, seq + 1, 0), (True, ACK, seq + 1, ack + 1, 0)]
    return steps


class Template:
    """One packet of the script; only addresses and the client's port are to be filled in."""

    def __init__(self, step: tuple[bool, int, int, int, int]) -> None:
        self.forth, flags, seq, ack, size = step
        ports = (0, 80) if self.forth else (80, 0)
        tcp = struct.pack("!HHIIBBHHH", *ports, 1000 + seq, (5000 + ack) if flags & ACK else 0, 0x50, flags, 4096, 0, 0)
        if not self.forth:
            tcp = struct.pack("!HHIIBBHHH", *ports, 5000 + seq, 1000 + ack, 0x50, flags, 4096, 0, 0)
        self.rest, self.data = tcp[4:16], bytes(size)
        self.total = 40 + size
        self.ip_sum = _ones(struct.pack("!BBHHHBBH", 0x45, 0, self.total, 1, 0, 64, 6, 0))
        self.tcp_sum = _ones(tcp) + 6 + 20 + size

    def frame(self, client: int, port: int, server: int) -> bytes:
        """The frame of a conversation between these."""
        address_sum = (client >> 16) + (client & 0xFFFF) + (server >> 16) + (server & 0xFFFF)
        source, target = (client, server) if self.forth else (server, client)
        ports = (port, 80) if self.forth else (80, port)
        head = struct.pack(
            "!BBHHHBBHII", 0x45, 0, self.total, 1, 0, 64, 6, _sum(self.ip_sum + address_sum), source, target
        )
        segment = struct.pack("!HH12sHH", *ports, self.rest, _sum(self.tcp_sum + address_sum + port), 0)
        return b"\2\0\0\0\0\2\2\0\0\0\0\1\x08\0" + head + segment + self.data


def _sum(total: int) -> int:
    total = (total & 0xFFFF) + (total >> 16)
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


def write(path: Path, conversations: int) -> int:
    """Write them, 10 microseconds apart; the number of packets."""
    templates = [Template(step) for step in _script()]
    assert len(templates) == PACKETS
    number = 0
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for first in range(0, conversations, SPREAD):
            chunk = []
            group = range(first, min(first + SPREAD, conversations))
            for template in templates:
                for one in group:
                    frame = template.frame(0x0A000000 + (one >> 4), 1024 + (one & 0xFFF), 0xC0A80000 + (one % 1000))
                    seconds, micro = divmod(number * 10, 1_000_000)
                    size = len(frame)
                    chunk.append(struct.pack("<IIII", 1_700_000_000 + seconds, micro, size, size) + frame)
                    number += 1
            file.write(b"".join(chunk))
    return number


if __name__ == "__main__":
    print(write(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 150_000), "packets")
