"""The engine agrees with the plain-Python model: on captures, and on random sequences of packets."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from netcrier.analyzerd import engine

from tests.model.conversations import follow
from tests.model.packets import NotModelled, decode
from tests.unit.analyzerd import frames

SHARED = Path(os.environ.get("NETCRIER_SHARED", Path(__file__).resolve().parents[3] / "shared"))
TRACES = sorted((SHARED / "goldens/traces").glob("*.pcap")) if SHARED.is_dir() else []
OURS = [
    "id.orig_h",
    "id.orig_p",
    "id.resp_h",
    "id.resp_p",
    "ip_proto",
    "conn_state",
    "missed_bytes",
    "orig_pkts",
    "orig_ip_bytes",
    "resp_pkts",
    "resp_ip_bytes",
    "history",
    "duration",
    "orig_bytes",
    "resp_bytes",
]
Frame = tuple[int, bytes, int]


def by_engine(packets: list[Frame]) -> list[dict[str, Any]]:
    """What the engine says, reduced to what the model knows."""
    kernel = engine.new_kernel(checksums=engine.Checksums.IGNORE, most=10_000)
    for time, frame, wire in packets:
        kernel.packet(frame, time, wire=wire)
    kernel.flush()
    rows = [json.loads(line) for line in kernel.take().splitlines()]
    return [{name: row[name] for name in OURS if name in row} for row in rows]


def by_model(packets: list[Frame]) -> list[dict[str, Any]]:
    """What the model says."""
    decoded = [decode(*packet) for packet in packets]
    return follow([packet for packet in decoded if packet])


def in_order(rows: list[dict[str, Any]]) -> list[str]:
    """Comparable: the order in which records are written is not the point."""
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


def read(path: Path) -> list[Frame]:
    """Frames of an Ethernet pcap file of either byte order, by plain means."""
    data = path.read_bytes()
    order = "<" if data[:1] in (b"\xd4", b"\x4d") else ">"
    unit = 1 if b"\x3c" in data[1:3] else 1000
    if struct.unpack_from(f"{order}I", data, 20)[0] & 0xFFFF != 1:
        raise NotModelled("not Ethernet")
    at, found = 24, []
    while at + 16 <= len(data):
        seconds, rest, have, wire = struct.unpack_from(f"{order}IIII", data, at)
        found.append((seconds * frames.SECOND + rest * unit, data[at + 16 : at + 16 + have], wire))
        at += 16 + have
    return found


@pytest.mark.beside
@pytest.mark.skipif(not TRACES, reason=f"no captures under {SHARED} (NETCRIER_SHARED names another folder)")
def test_engine_and_model_agree_on_every_capture_that_the_model_knows() -> None:
    compared = 0
    for path in TRACES:
        try:
            packets = read(path)
            expected = by_model(packets)
        except NotModelled:
            continue
        assert in_order(by_engine(packets)) == in_order(expected), path.name
        compared += 1
    assert compared >= 20


SEGMENT = st.tuples(
    st.booleans(),
    st.sampled_from([0, 1, 2, 4, 16, 17, 18, 20, 3, 6, 5]),
    st.sampled_from([0, 1, 2, 3, 5, 10, 11, 60, 100_000, 2**30]),
    st.sampled_from([0, 1, 2, 3, 5, 10, 11, 60]),
    st.sampled_from([0, 0, 1, 4, 50]),
    st.sampled_from([0, 1, 1_000_000, frames.SECOND, 6 * frames.SECOND, 70 * frames.SECOND]),
    st.sampled_from([0, 512]),
)


BEFORE_THE_START = [
    (True, 0, 10, 0, 0, 0, 0),
    (True, 5, 0, 0, 0, 0, 0),
    (True, 0, 0, 0, 1, 0, 0),
    (False, 0, 0, 0, 0, 6 * frames.SECOND, 0),
]
"""Payload numbered before the start while no wrap is counted: Zeek takes the nearer way to the start and drops it."""

SAME_32_BITS = [
    (True, 2, 2, 0, 0, 0, 0),
    (True, 1, 0, 0, 0, 0, 0),
    (True, 0, 3, 0, 0, 0, 0),
    (True, 5, 0, 0, 0, 0, 0),
    (True, 0, 0, 0, 0, frames.SECOND, 0),
]
"""A FIN from before the start wraps the numbers; a second one finds them at the start once more, modulo 2**32."""

NUMBERED_AGAIN = [
    (True, 2, 0, 0, 0, 0, 0),
    (False, 0, 0, 0, 0, 0, 0),
    (True, 0, 0, 0, 0, 1_000_000, 0),
    (True, 18, 0, 0, 0, 0, 0),
]
"""An end is first numbered from 0, so that its start is a wrap below, and then anew by what the other acknowledges."""

FLIPPED = [(False, 0, 0, 0, 0, 0, 0)] * 10


@example(BEFORE_THE_START, 2**32 - 8, 80)
@example(FLIPPED + BEFORE_THE_START, 2**32 - 8, 80)
@example(SAME_32_BITS, 2**32 - 8, 5000)
@example(NUMBERED_AGAIN, 0, 5000)
@settings(max_examples=500, deadline=None)
@given(st.lists(SEGMENT, max_size=14), st.sampled_from([0, 1000, 2**32 - 8]), st.sampled_from([80, 5000]))
def test_engine_and_model_agree_on_random_tcp(script: list[Any], base: int, port: int) -> None:
    time, packets = frames.SECOND, []
    for from_client, flags, seq, ack, size, pause, window in script:
        time += pause
        ends = (frames.CLIENT, 4000, frames.SERVER, port)
        ends = ends if from_client else (*ends[2:], *ends[:2])
        frame = frames.tcp(*ends, flags, base + seq, base + ack, bytes(size), window)
        packets.append((time, frame, len(frame)))
    assert in_order(by_engine(packets)) == in_order(by_model(packets))


DATAGRAM = st.tuples(
    st.booleans(), st.integers(0, 3), st.integers(0, 30), st.sampled_from([0, 1, frames.SECOND, 61 * frames.SECOND])
)


@settings(max_examples=200, deadline=None)
@given(st.lists(DATAGRAM, max_size=20))
def test_engine_and_model_agree_on_random_udp_and_icmp(script: list[Any]) -> None:
    time, packets = frames.SECOND, []
    for forth, kind, size, pause in script:
        time += pause
        a, b = (frames.CLIENT, frames.SERVER) if forth else (frames.SERVER, frames.CLIENT)
        if kind < 2:
            ports = (4000, (53, 9999)[kind])
            frame = frames.udp(a, ports[not forth], b, ports[forth], bytes(size))
        else:
            frame = frames.icmp(a, b, (8 if forth else 0) if kind == 2 else 3, 1, bytes(size))
        packets.append((time, frame, len(frame)))
    assert in_order(by_engine(packets)) == in_order(by_model(packets))
