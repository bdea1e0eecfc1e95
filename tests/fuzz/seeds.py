"""Where the fuzzer begins: a frame of every link and tunnel, a TCP exchange, fragments, captures of every format."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

from tests import layers
from tests.unit.analyzerd import frames
from tests.unit.analyzerd.frames import ACK, CLIENT, FIN, SECOND, SERVER, SYN

PACKETS, READER, RING, PACKED = range(4)
STREAMS = 0x80
"""Added to one of them: with streams."""

LINKS = sorted({link for link, _ in layers.LINKS.values()})
ETHERNET = LINKS.index(1)
INNER = frames.udp("192.168.1.1", 4000, "192.168.1.2", 9999, b"inside")[14:]
INNER6 = frames.udp("fd00::1", 4000, "fd00::2", 9999, b"inside")[14:]


def together(link: int, packets: list[bytes], step: int = 2) -> bytes:
    """An input of frames with a step of time between them; an odd step says that more was on the wire than captured."""
    return bytes([PACKETS, link]) + b"".join(struct.pack("!HB", len(frame), step) + frame for frame in packets)


def exchange() -> list[bytes]:
    """A TCP conversation with a hole that is filled, and its end."""
    client, server = (CLIENT, 4000, SERVER, 80), (SERVER, 80, CLIENT, 4000)
    return [
        frames.tcp(*client, SYN, 1),
        frames.tcp(*server, SYN | ACK, 9, 2),
        frames.tcp(*client, ACK, 12, 10, b"later"),
        frames.tcp(*client, ACK, 2, 10, b"sooner, 10"),
        frames.tcp(*server, ACK, 10, 17, b"answer"),
        frames.tcp(*client, FIN | ACK, 17, 16),
        frames.tcp(*server, FIN | ACK, 16, 18),
    ]


def layered() -> list[tuple[int, list[bytes]]]:
    """Links with their frames: each layer once, extension headers, fragments, and a conversation."""
    found = [(LINKS.index(link), [around(INNER)]) for link, around in layers.LINKS.values()]
    stacks = [[wrap(INNER6)] for wrap in layers.TUNNELS.values()]
    stacks += [layers.fragments(packet, 1, 7) for packet in (INNER, INNER6)]
    stacks.append([layers.extended(INNER6)])
    found += [(ETHERNET, [frames.ethernet(packet) for packet in stack]) for stack in stacks]
    return [*found, (ETHERNET, exchange())]


def seeds() -> list[bytes]:
    """All of them."""
    found = [together(link, packets, step) for link, packets in layered() for step in (2, 3)]
    found.append(bytes([PACKETS | STREAMS]) + together(ETHERNET, exchange())[1:])
    captured = [(SECOND + i, frame) for i, frame in enumerate(exchange())]
    captures = [frames.pcap(captured, order=order, nanoseconds=order == ">") for order in "<>"]
    captures += [
        frames.section(order)
        + frames.interface(order)
        + b"".join(frames.enhanced(time, frame, order) for time, frame in captured)
        for order in "<>"
    ]
    found += [bytes([READER, 100]) + capture for capture in captures]
    found += [bytes([PACKED, 0]) + packed for capture in captures for packed in (capture, gzip.compress(capture))]
    return found


def write(folder: Path) -> None:
    """As files, for libFuzzer."""
    for number, seed in enumerate(seeds()):
        (folder / f"seed-{number:03}").write_bytes(seed)
