"""Any bytes: the engine takes them and the balance holds, the readers give records or DecodeError."""

from __future__ import annotations

import hashlib
import json
import struct
from contextlib import suppress

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from netcrier.analyzerd import engine
from netcrier.analyzerd.engine.kernel import Kernel, sha1_of
from netcrier.errors import DecodeError

from tests.unit.analyzerd import frames

LINKS = st.sampled_from([0, 1, 9, 12, 50, 101, 105, 108, 113, 127, 228, 229, 276])
ETHERNET = bytes(12)
STARTS = st.sampled_from(
    [
        b"",
        ETHERNET + b"\x08\x00\x45\x00\x00\x40\x00\x01\x00\x00\x40\x06",
        ETHERNET + b"\x08\x00\x45\x00\x00\x40\x00\x01\x20\x00\x40\x11",
        ETHERNET + b"\x08\x00\x45\x00\x00\x40\x00\x01\x00\x00\x40\x2f",
        ETHERNET + b"\x86\xdd\x60\x00\x00\x00\x00\x20\x00\x40",
        ETHERNET + b"\x86\xdd\x60\x00\x00\x00\x00\x20\x2c\x40",
        ETHERNET + b"\x86\xdd\x60\x00\x00\x00\x00\x20\x2b\x40" + bytes(32) + b"\x11\x02\x00\x01",
        ETHERNET + b"\x81\x00\x00\x01\x88\x47\x00\x00\x01\x01",
        ETHERNET + b"\x88\x64\x11\x00\x00\x01\x00\x20\x00\x21\x45",
    ]
)


def checked(kernel: Kernel) -> None:
    """Whatever came, the lines are JSON and the sums are right."""
    kernel.flush()
    for line in kernel.take().splitlines():
        json.loads(line)
    seen = kernel.counters
    assert seen["received"] == seen["analysed"] + seen["not_ip"] + seen["over_budget"] + seen["undecodable"]
    assert seen["conversations"] == 0


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(STARTS, st.binary(max_size=120)), max_size=8), LINKS, st.sampled_from(engine.Checksums))
def test_any_frame_is_counted(parts: list[tuple[bytes, bytes]], link: int, mode: engine.Checksums) -> None:
    kernel = engine.new_kernel(checksums=mode, most=4)
    for number, (start, rest) in enumerate(parts):
        kernel.packet(start + rest, number * 1_000_000_000, link=link, wire=len(start + rest) + number)
    checked(kernel)


TUNNELS = st.sampled_from(
    [
        frames.udp("10.0.0.1", 4000, "10.0.0.2", 4789, b"\x08" + bytes(7) + ETHERNET + b"\x08\0")[:-2],
        frames.udp("10.0.0.1", 3544, "10.0.0.2", 3544, b"\0\1"),
        frames.ethernet(frames.ip("10.0.0.1", "10.0.0.2", 47, b"\0\0\x08\0\x45")),
        frames.ethernet(frames.ip("10.0.0.1", "10.0.0.2", 4, b"\x45\0\0\x20")),
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.one_of(STARTS, TUNNELS), st.binary(max_size=120)), max_size=8),
    LINKS,
    st.sampled_from(engine.Checksums),
    st.integers(0, 40),
)
def test_a_scout_ahead_changes_nothing(
    parts: list[tuple[bytes, bytes]], link: int, mode: engine.Checksums, wire: int
) -> None:
    """The same frames one by one, and through a scout: the same lines of all logs, the same counters."""
    kernels = [engine.new_kernel(checksums=mode, most=4, seed=bytes(24), interim=1) for _ in range(2)]
    records = []
    for number, (start, rest) in enumerate(parts):
        time, frame = number * 700_000_000, start + rest
        kernels[0].packet(frame, time, link=link, wire=len(frame) + wire)
        records.append((time, frame))
    data = frames.pcap(records, link=link, nanoseconds=True)
    if wire:
        data = with_wire(data, wire)
    lines = dict.fromkeys(engine.LOGS, b"")
    for written in frames.walk(kernels[1], data):
        for log, more in written:
            lines[log] += more
    for kernel in kernels:
        kernel.flush()
    assert kernels[0].counters == kernels[1].counters
    for log in engine.LOGS:
        assert lines[log] + kernels[1].take(log) == kernels[0].take(log)


def with_wire(data: bytes, more: int) -> bytes:
    """A little-endian capture whose packets were so many bytes longer on the wire."""
    changed, at = bytearray(data), 24
    while at < len(changed):
        (have,) = struct.unpack_from("<I", changed, at + 8)
        struct.pack_into("<I", changed, at + 12, have + more)
        at += 16 + have
    return bytes(changed)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 7), st.binary(min_size=1, max_size=300), st.integers(0, 299), st.integers(1, 255))
def test_a_checksum_is_right_wherever_it_stands(shift: int, body: bytes, at: int, noise: int) -> None:
    """The sum takes eight bytes at a time or more, from any place in the capture."""
    right = frames.udp("10.0.0.1", 4000, "10.0.0.2", 9999, body)
    assume(right[40:42] != bytes(2))  # none
    wrong = bytearray(right)
    wrong[42 + at % len(body)] ^= noise
    for frame, bad in ((right, False), (bytes(wrong), True)):
        kernel = engine.new_kernel()
        data = frames.pcap([(1_000_000_000, bytes(shift)), (2_000_000_000, frame)])
        for _ in frames.walk(kernel, data):
            pass
        kernel.flush()
        (row,) = map(json.loads, kernel.take().splitlines())
        assert ("C" in row["history"]) == bad


@given(st.binary(max_size=55))
def test_sha1_is_the_same_in_plain_c_and_by_the_processor(data: bytes) -> None:
    digest = hashlib.sha1(data, usedforsecurity=False).digest()
    assert sha1_of(data, plain=True) == sha1_of(data, plain=False) == digest


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(
        [
            b"",
            b"\xd4\xc3\xb2\xa1",
            b"\xa1\xb2\x3c\x4d",
            b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a" + bytes(12) + b"\x1c\0\0\0",
        ]
    ),
    st.lists(
        st.one_of(
            st.binary(max_size=64),
            st.builds(
                lambda kind, body: (
                    struct.pack("<II", kind, len(body) * 4 + 12)
                    + b"".join(body)
                    + struct.pack("<I", len(body) * 4 + 12)
                ),
                st.integers(1, 6),
                st.lists(st.binary(min_size=4, max_size=4), max_size=16),
            ),
        ),
        max_size=6,
    ),
)
def test_any_file_gives_records_or_a_decode_error(start: bytes, parts: list[bytes]) -> None:
    kernel = engine.new_kernel(most=64)
    with suppress(DecodeError):
        for _ in frames.walk(kernel, start + b"".join(parts)):
            pass
    checked(kernel)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 8), st.integers(0, 500))
def test_any_ring_block_is_walked_within_its_bounds(data: bytes, packets: int, first: int) -> None:
    kernel = engine.new_kernel(most=16)
    block = bytes(12) + struct.pack("<II", packets, first) + bytes(28) + data
    kernel.open(block)
    kernel.block(0, len(block), link=1, loopback=False)
    kernel.open(None)
    checked(kernel)
