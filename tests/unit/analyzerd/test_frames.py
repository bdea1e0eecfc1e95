"""The frames of a capture file are those that the engine sees."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netcrier.analyzerd import engine
from netcrier.analyzerd.capture.frames import frames
from netcrier.errors import DecodeError

from tests.unit.analyzerd import frames as made

FIRST = made.tcp(made.CLIENT, 4000, made.SERVER, 80, made.SYN, 1)
SECOND = made.udp(made.CLIENT, 4000, made.SERVER, 53, b"abc")


def read(data: bytes) -> list[tuple[int, int, bytes]]:
    return [(frame.time, frame.link, bytes(frame.data)) for frame in frames(memoryview(data))]


def seen_by_the_engine(data: bytes) -> int:
    kernel = engine.new_kernel()
    with contextlib.suppress(DecodeError):
        list(made.walk(kernel, data))
    return kernel.counters["received"]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nanoseconds", [False, True])
def test_pcap(order: str, nanoseconds: bool) -> None:
    packets = [(7_000_001_000, FIRST), (8_000_002_000, SECOND)]
    data = made.pcap(packets, order=order, nanoseconds=nanoseconds, link=113)
    assert read(data) == [(7_000_001_000, 113, FIRST), (8_000_002_000, 113, SECOND)]


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_with_sections_interfaces_and_clocks(order: str) -> None:
    nano = struct.pack(f"{order}HHBxxxHH", 9, 1, 9, 0, 0)
    data = made.section(order) + made.interface(order) + made.interface(order, 101, nano)
    data += made.block(order, 5, bytes(12)) + made.enhanced(7_000_001, FIRST, order)
    data += made.enhanced(7_000_000_009, SECOND, order, 1)
    data += made.block(order, 3, struct.pack(f"{order}I", len(FIRST)) + FIRST)
    obsolete = struct.pack(f"{order}HHIIII", 1, 0, 1, 705_032_704, len(FIRST), len(FIRST) + 9)
    data += made.block(order, 2, obsolete + FIRST)
    data += made.section(order) + made.interface(order, 276) + made.enhanced(1, SECOND, order)
    assert read(data) == [
        (7_000_001_000, 1, FIRST),
        (7_000_000_009, 101, SECOND),
        (0, 1, FIRST),
        (5_000_000_000, 101, FIRST),
        (1000, 276, SECOND),
    ]
    assert [frame.wire - len(frame.data) for frame in frames(memoryview(data))] == [0, 0, 0, 9, 0]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"root:x:0:0", "not-a-capture"),
        (made.pcap([])[:20], "truncated"),
        (made.section() + made.enhanced(1, FIRST), "bad-block"),
        (made.section() + made.interface() + made.block("<", 6, bytes(8)), "bad-block"),
        (made.section() + made.interface() + made.block("<", 6, struct.pack("<IIIII", 0, 0, 1, 99, 99)), "bad-block"),
        (made.pcap([]) + struct.pack("<IIII", 0, 0, 300_000, 300_000) + bytes(300_000), "bad-block"),
    ],
)
def test_what_is_no_capture_or_contradicts_itself_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(DecodeError) as caught:
        read(data)
    assert caught.value.reason == reason


@given(st.data())
def test_a_cut_file_gives_what_is_whole_and_the_engine_sees_as_much(data: st.DataObject) -> None:
    packets = [(1, FIRST), (2, SECOND), (3, FIRST)]
    whole = data.draw(
        st.sampled_from(
            [
                made.pcap(packets),
                made.section() + made.interface() + b"".join(made.enhanced(time, one) for time, one in packets),
            ]
        )
    )
    at = data.draw(st.integers(24, len(whole)))
    found = []
    with contextlib.suppress(DecodeError):
        for frame in frames(memoryview(whole[:at])):
            found.append(bytes(frame.data))
    assert found == [one for _, one in packets][: len(found)]
    assert len(found) == seen_by_the_engine(whole[:at])


@given(st.binary(max_size=200), st.sampled_from([b"", made.pcap([]), made.section() + made.interface()]))
def test_any_bytes_are_frames_or_refused(data: bytes, start: bytes) -> None:
    with contextlib.suppress(DecodeError):
        read(start + data)
