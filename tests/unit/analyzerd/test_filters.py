"""Packet filters of `--read`: what they take is what libpcap takes, whatever the packet and the expression."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from netcrier.analyzerd import engine, reading
from netcrier.analyzerd.capture import source, walking
from netcrier.analyzerd.capture.bpf import Program, compile_filter, program_for
from netcrier.runtime.socket_filter import INSTRUCTION

from tests import layers

from . import frames
from .frames import ACK, CLIENT, SECOND, SERVER, SYN

EXPRESSIONS = [
    "udp port 53", "tcp[tcpflags] & tcp-syn != 0", "ip6", "net 10.0.0.0/8 and not port 80", "vlan 5", "len > 100",
    "greater 60 and less 90", "ip[8] - 1 > 62", "tcp[((tcp[12] & 0xf0) >> 2):4] = 0x64617461", "icmp or arp",
    "ip[2:2] % 7 = 3", "ip[4:2] / 3 = 0 or ip[1] * 5 = 0", "ether src 02:00:00:00:00:01", "ip proto 47",
    "portrange 50-60",    "ip6[6] ^ 17 = 0", "(ip[0] << 2) | 1 = 277",
    "src host 10.0.0.2", "ip[6:2] & 0x1fff != 0", "ether[20:4] != 0",
]  # fmt: skip
FRAMES = [
    frames.udp(CLIENT, 4000, SERVER, 53, b"data"), frames.udp("fd00::1", 4000, "fd00::2", 53, b"data"),
    frames.tcp(CLIENT, 4000, SERVER, 80, SYN, 1), frames.tcp(SERVER, 80, CLIENT, 4000, ACK, 1, 2, b"data" * 40),
    frames.icmp(CLIENT, SERVER, 8), bytes(12) + b"\x81\0\0\5" + frames.udp(CLIENT, 1, SERVER, 2)[12:],
    frames.ethernet(layers.gre(0x0800, frames.udp(CLIENT, 1, SERVER, 2)[14:])), bytes(14) + b"\x45", b"",
]  # fmt: skip


def taken(frame: bytes, wire: int, code: bytes, link: int = 1) -> int:
    """How many packets a capture of this frame has, through this filter."""
    kernel = engine.new_kernel()
    record = struct.pack("<IIII", 1, 0, len(frame), wire) + frame
    chunks = source.filling([frames.pcap([], link=link) + record])
    for _ in walking.walk(kernel, walking.portions(kernel, chunks, lambda _link: code)):
        pass
    return kernel.counters["received"]


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(EXPRESSIONS), st.sampled_from(FRAMES), st.integers(0, 250), st.lists(st.tuples(st.integers(0, 99),
    st.integers(0, 255)), max_size=3), st.integers(0, 70),
)  # fmt: skip
def test_a_filter_takes_what_libpcap_takes(
    expression: str, frame: bytes, cut: int, changes: list[tuple[int, int]], more: int
) -> None:
    bent = bytearray(frame)
    for place, value in changes if bent else ():
        bent[place % len(bent)] = value
    sent = bytes(bent[: max(0, len(bent) - cut)] if cut < len(bent) else bent)
    program = compile_filter(expression, 1)
    assert taken(sent, len(sent) + more, program.code) == program.matches(sent, len(sent) + more)


INSTRUCTIONS = st.tuples(
    st.sampled_from([0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x0C, 0x15, 0x20, 0x28, 0x30, 0x34, 0x3C, 0x40,
                     0x48, 0x50, 0x60, 0x80, 0x87, 0x94, 0x9C, 0xB1, 0x16, 0xFF]),
    st.integers(0, 255), st.integers(0, 255), st.sampled_from([0, 1, 4, 14, 15, 31, 32, 4096, 0xFFFFFFFF, 0xFFFFFFFE]),
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(INSTRUCTIONS, max_size=30), st.sampled_from(FRAMES))
def test_whatever_the_program_is_it_ends_and_stays_inside(
    program: list[tuple[int, int, int, int]], frame: bytes
) -> None:
    code = b"".join(INSTRUCTION.pack(*one) for one in program)
    assert taken(frame, len(frame), code) in (0, 1)


def test_it_is_compiled_for_each_link_type_of_a_pcapng_file() -> None:
    udp = FRAMES[0]
    blocks = [frames.section(), frames.interface(), frames.interface(link=101), frames.interface()]
    blocks += [frames.enhanced(1, udp), frames.enhanced(2, udp[14:], number=1), frames.enhanced(3, FRAMES[2], number=2)]
    kernel, links = engine.new_kernel(), list[int]()

    def compiled(link: int) -> bytes:
        links.append(link)
        return program_for("udp")(link)

    for _ in walking.walk(kernel, walking.portions(kernel, source.filling([b"".join(blocks)]), compiled)):
        pass
    assert links == [1, 101]
    assert (kernel.counters["received"], kernel.counters["conversations"]) == (2, 1)


def test_read_takes_a_filter_and_tells_a_wrong_one_before_it_empties_a_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, log = tmp_path / "a.pcap", tmp_path / "conn.log"
    path.write_bytes(frames.pcap([(SECOND + i, frame) for i, frame in enumerate(FRAMES[:4])]))
    words = ["--read", str(path), "--log-dir", str(tmp_path), "--filter"]
    assert reading.main([*words, "udp and ip"]) == 0
    (row,) = [json.loads(line) for line in log.read_text().splitlines()]
    assert (row["proto"], row["orig_pkts"]) == ("udp", 1)
    assert reading.main([*words, "udp prot"]) == 78
    assert "filter 'udp prot': can't parse filter expression" in capsys.readouterr().err
    assert log.read_text()


def test_nothing_is_taken_by_an_empty_program() -> None:
    assert taken(FRAMES[0], len(FRAMES[0]), b"") == 0
    assert taken(FRAMES[0], len(FRAMES[0]), Program(INSTRUCTION.pack(6, 0, 0, 1)).code) == 1
