"""What Zeek lacks, after Zeek's fields in conn.log; and the records of conversations that go on."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from netcrier.analyzerd import engine
from netcrier.analyzerd.logs import fields

from . import frames
from .conftest import Analyse
from .frames import ACK, CLIENT, SECOND, SERVER, SYN
from .test_tcp import HANDSHAKE, Segment, play
from .test_tunnels import KINDS, logs

OPEN = HANDSHAKE
CASES: dict[str, tuple[list[Segment], dict[str, Any]]] = {
    "round trips": (OPEN, {"resp_rtt": 0.1, "orig_rtt": 0.1}),
    "a repeated SYN": ([OPEN[0], *OPEN], {"resp_rtt": None, "orig_rtt": None}),
    "a repeated SYN-ACK": ([OPEN[0], OPEN[1], *OPEN[1:]], {"orig_rtt": None}),
    "retransmission": (
        [*OPEN, ("o", ACK, 101, 501, b"data"), ("o", ACK, 101, 501, b"data")],
        {"orig_retransmits": 1, "orig_out_of_order": None, "history": "ShADT"},
    ),
    "out of order": (
        [*OPEN, ("o", ACK, 105, 501, b"two!"), ("o", ACK, 101, 501, b"one!")],
        {"orig_retransmits": None, "orig_out_of_order": 1, "history": "ShADT", "orig_bytes": 8},
    ),
    "duplicate acknowledgements": (
        [*OPEN, ("r", ACK, 501, 101, b"data"), ("r", ACK, 505, 101, b"more"), *[("o", ACK, 101, 505, b"")] * 3],
        {"orig_dup_acks": 2, "resp_dup_acks": None},
    ),
    "lost bytes": (
        [*OPEN, ("o", ACK, 201, 501, b"later"), ("r", ACK, 501, 206, b"")],
        {"orig_lost_bytes": 100, "resp_lost_bytes": None, "missed_bytes": 100},
    ),
    "flags": (OPEN, {"orig_tcp_flags": "SA", "resp_tcp_flags": "SA"}),
    "payload times": (
        [*OPEN, ("o", ACK, 101, 501, b"a"), ("o", ACK, 102, 501, b"b"), ("r", ACK, 501, 103, b"")],
        {"first_payload": 1.3, "last_payload": 1.4},
    ),
    "no payload": (OPEN, {"first_payload": None, "last_payload": None}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_script_gives_its_measures(analyse: Analyse, name: str) -> None:
    script, expected = CASES[name]
    (record,) = analyse(play(script))
    assert {key: record.get(key) for key in expected} == expected


def test_zero_windows_are_counted_for_each_end(analyse: Analyse) -> None:
    packets = play(OPEN)
    packets += [(2 * SECOND + i, frames.tcp(SERVER, 8080, CLIENT, 4000, ACK, 501, 101, window=0)) for i in range(3)]
    (record,) = analyse(packets)
    assert (record.get("orig_zero_windows"), record["resp_zero_windows"]) == (None, 3)


def test_mss_ttl_vlan_and_macs_are_told(analyse: Analyse) -> None:
    segment = struct.pack("!HHIIBBHHH", 4000, 80, 1, 0, 0x60, SYN, 512, 0, 0) + b"\2\4\5\xb4"
    packet = frames.ip(CLIENT, SERVER, 6, segment)
    frame = bytes.fromhex("020000000002020000000001") + b"\x88\xa8\0\x05\x81\0\0\x07\x08\0" + packet
    (record,) = analyse([(SECOND, frame)], checksums=engine.Checksums.IGNORE)
    assert (record["orig_mss"], record["orig_ttl_min"]) == (1460, 64)
    assert "orig_ttl_max" not in record
    lower = bytearray(frame)
    lower[14 + 8 + 8] = 63
    (record,) = analyse([(SECOND, frame), (SECOND, bytes(lower))], checksums=engine.Checksums.IGNORE)
    assert (record["orig_ttl_min"], record["orig_ttl_max"]) == (63, 64)
    assert (record["vlan"], record["inner_vlan"]) == (5, 7)
    assert (record["orig_l2_addr"], record["resp_l2_addr"]) == ("02:00:00:00:00:01", "02:00:00:00:00:02")
    assert "resp_ttl_min" not in record


def long_talk(interim: int, seconds: int, every: int = 10) -> list[dict[str, Any]]:
    """Both ends of a UDP conversation speak every `every` seconds."""
    kernel = engine.new_kernel(interim=interim)
    for at in range(0, seconds + 1, every):
        kernel.packet(frames.udp(CLIENT, 4000, SERVER, 9999, b"ask"), (100 + at) * SECOND)
        kernel.packet(frames.udp(SERVER, 9999, CLIENT, 4000, b"reply"), (100 + at) * SECOND + 1000)
    kernel.flush()
    return [json.loads(line) for line in kernel.take().splitlines()]


def test_a_conversation_that_goes_on_has_a_record_every_interim() -> None:
    *partial, last = long_talk(60, 200)
    assert [record["partial"] for record in partial] == [True] * 3
    assert "partial" not in last
    assert len({record["uid"] for record in (*partial, last)}) == 1
    for name in ("orig_bytes", "orig_pkts", "orig_ip_bytes", "resp_bytes", "resp_pkts", "resp_ip_bytes"):
        values = [record[name] for record in (*partial, last)]
        assert values == sorted(values)
        assert sum(record[f"{name}_delta"] for record in (*partial, last)) == values[-1]


def test_without_interim_or_before_its_time_there_is_one_record() -> None:
    assert [len(long_talk(0, 200)), len(long_talk(60, 50))] == [1, 1]
    assert all("orig_pkts_delta" not in record for record in long_talk(0, 200))


def test_a_silent_conversation_is_not_told_again() -> None:
    kernel = engine.new_kernel(interim=60)
    for time, frame in play(OPEN):
        kernel.packet(frame, time)
    kernel.clock(280 * SECOND)
    assert kernel.take().count(b"\n") == 1


def test_every_field_that_is_written_is_described_in_its_order() -> None:
    described = {log: [field.name for field in known] for log, known in fields.LOGS.items()}
    assert tuple(described) == engine.LOGS
    seen: dict[str, set[str]] = {log: set() for log in engine.LOGS}
    scripts = [play(script) for script, _ in CASES.values()] + [[(SECOND, kind[0])] for kind in KINDS.values()]
    for packets in scripts:
        for log, rows in logs(packets).items():
            for row in rows:
                assert list(row) == [name for name in described[log] if name in row]
                seen[log].update(row)
    for record in long_talk(60, 200):
        assert list(record) == [name for name in described["conn"] if name in record]
    assert seen["tunnel"] == set(described["tunnel"])
