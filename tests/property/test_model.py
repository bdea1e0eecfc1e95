"""The engine agrees with the plain-Python model: on captures, and on random sequences of packets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from netcrier.analyzerd import engine

from tests.captures import SHARED, TRACES, TRAFFIC, Frame, read
from tests.community import community_id
from tests.model.walk import Walk
from tests.unit.analyzerd import frames

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
    "vlan",
    "inner_vlan",
]
"""What the model knows of a record."""

Row = dict[str, Any]


def records(captured: list[Frame]) -> list[Row]:
    """What the engine says."""
    kernel = engine.new_kernel(checksums=engine.Checksums.IGNORE, most=100_000, logs=("conn",))
    for time, frame, wire, link in captured:
        kernel.packet(frame, time, wire=wire, link=link)
    kernel.flush()
    return [json.loads(line) for line in kernel.take().splitlines()]


def by_engine(captured: list[Frame]) -> list[Row]:
    """The same, reduced to what the model knows."""
    return [{name: row[name] for name in OURS if name in row} for row in records(captured)]


def by_model(captured: list[Frame]) -> list[Row]:
    """What the model says."""
    model = Walk()
    for time, frame, wire, link in captured:
        model.frame(time, frame, wire, link)
    return model.records()


def in_order(rows: list[Row]) -> list[str]:
    """Comparable: the order in which records are written is not the point."""
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


def agree(captured: list[Frame]) -> list[Row]:
    """Hold the one against the other; the records."""
    rows = by_model(captured)
    assert in_order(by_engine(captured)) == in_order(rows)
    return rows


@pytest.mark.beside
@pytest.mark.skipif(not TRACES, reason=f"no captures under {SHARED} (NETCRIER_SHARED names another folder)")
@pytest.mark.parametrize("path", [*TRACES, *TRAFFIC], ids=lambda path: path.name)
def test_engine_and_model_agree_on_every_capture(path: Path) -> None:
    assert agree(read(path))


@pytest.mark.beside
@pytest.mark.skipif(not TRACES, reason=f"no captures under {SHARED} (NETCRIER_SHARED names another folder)")
def test_community_ids_in_every_capture_are_the_packages() -> None:
    compared = 0
    for path in (*TRACES, *TRAFFIC):
        for row in records(read(path)):
            assert row.get("community_id") == community_id(row), path.name
            compared += 1
    assert compared >= 9000


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

HALF_A_CIRCLE = [
    (True, 1, 2**31, 0, 0, 0, 0),
    (True, 1, 0, 0, 0, 1_000_000, 0),
]
"""What follows a packet is 2**31 away from the end before: Zeek takes that for the way back."""

RESET_TWICE = [
    *[(False, 0, 0, 0, 0, 0, 0)] * 4,
    (True, 0, 3, 0, 0, 0, 0),
    (True, 4, 0, 0, 0, 0, 0),
    (True, 4, 3, 0, 0, 0, 0),
]
"""RSTs as far before an end's start as behind it: two places, two letters."""

FLIPPED = [(False, 0, 0, 0, 0, 0, 0)] * 10


@example(BEFORE_THE_START, 2**32 - 8, 80)
@example(FLIPPED + BEFORE_THE_START, 2**32 - 8, 80)
@example(SAME_32_BITS, 2**32 - 8, 5000)
@example(NUMBERED_AGAIN, 0, 5000)
@example(HALF_A_CIRCLE, 17, 5000)
@example(RESET_TWICE, 0, 80)
@settings(max_examples=500, deadline=None)
@given(st.lists(SEGMENT, max_size=14), st.sampled_from([0, 1000, 2**32 - 8]), st.sampled_from([80, 5000]))
def test_engine_and_model_agree_on_random_tcp(script: list[Any], base: int, port: int) -> None:
    time, captured = frames.SECOND, list[Frame]()
    for from_client, flags, seq, ack, size, pause, window in script:
        time += pause
        ends = (frames.CLIENT, 4000, frames.SERVER, port)
        ends = ends if from_client else (*ends[2:], *ends[:2])
        frame = frames.tcp(*ends, flags, base + seq, base + ack, bytes(size), window)
        captured.append((time, frame, len(frame), 1))
    agree(captured)


DATAGRAM = st.tuples(
    st.booleans(), st.integers(0, 3), st.integers(0, 30), st.sampled_from([0, 1, frames.SECOND, 61 * frames.SECOND])
)


@settings(max_examples=200, deadline=None)
@given(st.lists(DATAGRAM, max_size=20))
def test_engine_and_model_agree_on_random_udp_and_icmp(script: list[Any]) -> None:
    time, captured = frames.SECOND, list[Frame]()
    for forth, kind, size, pause in script:
        time += pause
        a, b = (frames.CLIENT, frames.SERVER) if forth else (frames.SERVER, frames.CLIENT)
        if kind < 2:
            ports = (4000, (53, 9999)[kind])
            frame = frames.udp(a, ports[not forth], b, ports[forth], bytes(size))
        else:
            frame = frames.icmp(a, b, (8 if forth else 0) if kind == 2 else 3, 1, bytes(size))
        captured.append((time, frame, len(frame), 1))
    agree(captured)
