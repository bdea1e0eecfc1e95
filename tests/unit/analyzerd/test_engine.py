"""The engine as a whole: built from these sources, its records, its identifiers, its bounds."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from netcrier.analyzerd import engine
from netcrier.analyzerd.engine import kernel as compiled

from tests.community import community_id

from . import frames
from .conftest import Analyse
from .frames import ACK, CLIENT, SECOND, SERVER, SYN

SOURCES = Path(__file__).resolve().parents[3] / "daemons/netcrier/analyzerd/engine"


def test_the_built_engine_is_not_stale() -> None:
    sources = sorted(path for path in SOURCES.iterdir() if path.suffix in (".pyx", ".pxi"))
    wanted = hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    assert wanted == compiled.SOURCE_HASH, "run: pip install -e . --no-build-isolation"


def test_a_conversation_takes_at_most_320_bytes() -> None:
    assert compiled.CONVERSATION_SIZE <= 320


def exchange() -> list[tuple[int, bytes]]:
    """A conversation of each kind."""
    return [
        (1 * SECOND, frames.udp(CLIENT, 4000, SERVER, 53, b"question")),
        (1 * SECOND + 2000, frames.udp(SERVER, 53, CLIENT, 4000, b"the answer")),
        (2 * SECOND, frames.udp("fe80::1", 4001, "ff02::1", 9999, b"six")),
        (3 * SECOND, frames.icmp(CLIENT, SERVER, 8, 0, b"ping")),
        (3 * SECOND + 5000, frames.icmp(SERVER, CLIENT, 0, 0, b"ping")),
        (4 * SECOND, frames.icmp(SERVER, CLIENT, 3, 1, b"unreachable")),
        (5 * SECOND, frames.tcp(CLIENT, 4002, SERVER, 80, SYN, 100)),
        (6 * SECOND, frames.tcp("2001:db8::5", 4003, "2001:db8::6", 80, SYN, 100)),
        (7 * SECOND, frames.ethernet(frames.ip(CLIENT, SERVER, 103, b"a PIM hello, say"))),
        (7 * SECOND, frames.ethernet(frames.ip(CLIENT, SERVER, 132, bytes(20)))),
    ]


def test_a_line_is_what_msgspec_would_write(analyse: Analyse) -> None:
    kernel = engine.new_kernel(seed=bytes(24))
    for time, frame in exchange():
        kernel.packet(frame, time)
    kernel.flush()
    lines = kernel.take().splitlines()
    assert len(lines) == 8
    for line in lines:
        record = msgspec.json.decode(line)
        for name in {"ts", "duration", "first_payload", "last_payload", "orig_rtt", "resp_rtt"} & record.keys():
            record[name] = msgspec.Raw(f"{record[name]:.6f}".encode())
        assert msgspec.json.encode(record) == line


def test_community_id_is_the_packages(analyse: Analyse) -> None:
    records = analyse(exchange())
    assert {record["ip_proto"] for record in records} == {1, 6, 17, 103, 132}
    assert [record.get("community_id") for record in records] == [community_id(record) for record in records]


def test_uids_differ_and_are_zeeks_form(analyse: Analyse) -> None:
    uids = [record["uid"] for record in analyse((i, frames.udp(CLIENT, 5000 + i, SERVER, 9)) for i in range(500))]
    assert len(set(uids)) == 500
    assert all(uid[0] == "C" and uid.isalnum() and len(uid) <= 18 for uid in uids)


def test_iso_time_is_rfc_3339() -> None:
    kernel = engine.new_kernel(iso=True)
    kernel.packet(frames.udp(CLIENT, 1, SERVER, 2), 1_709_210_096_123_456_000)
    kernel.flush()
    assert json.loads(kernel.take())["ts"] == "2024-02-29T12:34:56.123456Z"


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (engine.Checksums.COUNT, {"history": "CD", "orig_pkts": 1, "conn_state": "S0"}),
        (engine.Checksums.IGNORE, {"history": "D", "orig_pkts": 1, "conn_state": "S0"}),
        (engine.Checksums.DROP, {"history": "C", "orig_pkts": 0, "conn_state": "OTH"}),
    ],
)
def test_a_wrong_checksum_is_treated_as_asked(
    analyse: Analyse, mode: engine.Checksums, expected: dict[str, Any]
) -> None:
    frame = bytearray(frames.udp(CLIENT, 4000, SERVER, 9999, b"data"))
    frame[-1] ^= 1
    (record,) = analyse([(SECOND, bytes(frame))], checksums=mode)
    assert {name: record[name] for name in expected} == expected


def test_at_the_limit_attempts_go_before_established_conversations() -> None:
    kernel = engine.new_kernel(most=100, seed=bytes(24))
    shake = [(SYN, 1, 0), (SYN | ACK, 9, 2), (ACK, 2, 10)]
    for i, (flags, seq, ack) in enumerate(shake):
        ends = (SERVER, 80, CLIENT, 4000) if i == 1 else (CLIENT, 4000, SERVER, 80)
        kernel.packet(frames.tcp(*ends, flags, seq, ack), SECOND + i)
    for i in range(1000):
        kernel.packet(frames.tcp(f"10.1.{i // 250}.{i % 250}", 1000, SERVER, 80, SYN, 1), SECOND + 10 + i)
    counters = kernel.counters
    assert counters["conversations"] == 100
    assert counters["evicted"] == 901
    assert all(json.loads(line)["conn_state"] == "S0" for line in kernel.take().splitlines())
    kernel.flush()
    assert sum(json.loads(line)["conn_state"] == "S1" for line in kernel.take().splitlines()) == 1


def test_the_balance_holds() -> None:
    kernel = engine.new_kernel()
    for frame in (frames.udp(CLIENT, 1, SERVER, 2), b"", b"short", bytes(60), bytes(12) + b"\x08\x06" + bytes(40)):
        kernel.packet(frame, SECOND)
    counters = kernel.counters
    assert counters["received"] == 5 == counters["analysed"] + counters["not_ip"] + counters["undecodable"]
    assert counters["undecodable"] == 2


def test_a_tunnel_gives_the_outer_and_the_inner_conversation(analyse: Analyse) -> None:
    inner = frames.udp("192.168.1.1", 4000, "192.168.1.2", 53, b"inside")
    outer = frames.udp(CLIENT, 5000, SERVER, 4789, b"\x08\0\0\0\0\0\x01\0" + inner)
    records = analyse([(SECOND, outer)])
    assert {(r["id.orig_h"], r.get("service")) for r in records} == {(CLIENT, "vxlan"), ("192.168.1.1", None)}


def test_tunnels_end_at_the_depth_limit(analyse: Analyse) -> None:
    packet = frames.udp(CLIENT, 4000, SERVER, 53, b"deep")[14:]
    for _ in range(3):
        packet = frames.ip(CLIENT, SERVER, 4, packet)
    assert len(analyse([(SECOND, frames.ethernet(packet))])) == 1
    for _ in range(3):
        packet = frames.ip(CLIENT, SERVER, 4, packet)
    assert analyse([(SECOND, frames.ethernet(packet))]) == []


def test_a_netcrier_broadcast_is_recognised(analyse: Analyse) -> None:
    (record,) = analyse([(SECOND, frames.udp(CLIENT, 12346, "10.0.0.255", 12345, b"NC\x01rest"))])
    assert record["service"] == "netcrier"


def test_a_file_whose_time_goes_back_does_not_split_conversations(analyse: Analyse) -> None:
    later = (1000 * SECOND, frames.udp(CLIENT, 1, SERVER, 2))
    older = [(SECOND + i, frames.udp(CLIENT, 4000, SERVER, 9999, b"x")) for i in range(3)]
    assert sorted(record["orig_pkts"] for record in analyse([later, *older])) == [1, 3]
