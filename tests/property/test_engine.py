"""Any bytes: the engine takes them and the balance holds, the readers give records or DecodeError."""

from __future__ import annotations

import json
import struct
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st
from netcrier.analyzerd import engine
from netcrier.analyzerd.capture import walking
from netcrier.analyzerd.engine.kernel import Kernel
from netcrier.errors import DecodeError

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
        for _ in walking.walk(kernel, memoryview(start + b"".join(parts))):
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
