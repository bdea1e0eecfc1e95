"""A flood of SYNs from 5 million sources against a table of 1 million, run as a process of its own.

Prints: established conversations before, those of them that are still there after, anonymous resident memory in MB,
records written meanwhile, seconds of the processor.
"""

from __future__ import annotations

import struct
import time

from netcrier.analyzerd import engine
from netcrier.analyzerd.capture import source, walking

from tests.bench.concurrency import HEADER, resident_mb

SOURCES = 5_000_000
TABLE = 1_000_000
ESTABLISHED = 1000
CHUNK = 100_000
SYN, ACK = 2, 16
START = 1_700_000_000


def segment(source: bytes, sport: int, target: bytes, dport: int, flags: int, seq: int, ack: int) -> bytes:
    """A frame with a TCP segment; its checksums are not looked at."""
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 1, 0, 64, 6, 0) + source + target
    return (
        b"\2\0\0\0\0\2\2\0\0\0\0\1\x08\0"
        + ip
        + struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 0x50, flags, 64, 0, 0)
    )


def handshakes() -> bytes:
    """Records of ESTABLISHED whole handshakes."""
    client, server, out = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]), []
    for port in range(2000, 2000 + ESTABLISHED):
        for frame in (
            segment(client, port, server, 80, SYN, 1, 0),
            segment(server, 80, client, port, SYN | ACK, 9, 2),
            segment(client, port, server, 80, ACK, 2, 10),
        ):
            out.append(struct.pack("<IIII", START, 0, len(frame), len(frame)) + frame)
    return b"".join(out)


def flood(first: int) -> bytes:
    """Records of one SYN from each of CHUNK sources; all of the flood within four seconds."""
    frame = segment(bytes(4), 1024, bytes([10, 0, 0, 2]), 80, SYN, 1, 0)
    seconds, micro = divmod(first * 4_000_000 // SOURCES, 1_000_000)
    head = struct.pack("<IIII", START + seconds, micro, len(frame), len(frame)) + frame[:26]
    tail = frame[30:]
    return b"".join(head + (0x30000000 + i).to_bytes(4, "big") + tail for i in range(first, first + CHUNK))


def main() -> None:
    """Run it."""
    kernel = engine.new_kernel(most=TABLE, checksums=engine.Checksums.IGNORE)
    spent, most, written = 0, 0.0, 0
    for number in range(-1, SOURCES // CHUNK):
        data = handshakes() if number < 0 else flood(number * CHUNK)
        started = time.process_time_ns()
        for lines in walking.walk(kernel, walking.portions(kernel, source.filling([HEADER, data]))):
            written += sum(line.count(b"\n") for log, line in lines if log == "conn")
        spent += time.process_time_ns() - started
        most = max(most, resident_mb())
    states = b""
    while kernel.flush(part=True):
        states += b"".join(line for line in kernel.take("conn").splitlines(True) if b'"S1"' in line)
    states += kernel.take("conn")
    print(ESTABLISHED, states.count(b'"conn_state":"S1"'), f"{most:.0f}", written, f"{spent / 1e9:.1f}")


if __name__ == "__main__":
    main()
