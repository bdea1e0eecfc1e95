"""TCP as Zeek sees it: a script of segments, and the record that it gives."""

from __future__ import annotations

from typing import Any

import pytest

from . import frames
from .conftest import Analyse
from .frames import ACK, CLIENT, FIN, RST, SECOND, SERVER, SYN

Segment = tuple[str, int, int, int, bytes]
"""Who (`o` or `r`), flags, sequence number, acknowledgement, data."""

HANDSHAKE: list[Segment] = [("o", SYN, 100, 0, b""), ("r", SYN | ACK, 500, 101, b""), ("o", ACK, 101, 501, b"")]
DATA: list[Segment] = [("o", ACK, 101, 501, b"hello"), ("r", ACK, 501, 106, b"world!")]


def play(
    script: list[Segment], spacing: int = SECOND // 10, ports: tuple[int, int] = (4000, 8080)
) -> list[tuple[int, bytes]]:
    """Frames of a script, one every tenth of a second."""
    sent = []
    for i, (who, flags, seq, ack, data) in enumerate(script):
        ends = (CLIENT, ports[0], SERVER, ports[1]) if who == "o" else (SERVER, ports[1], CLIENT, ports[0])
        sent.append((SECOND + i * spacing, frames.tcp(*ends, flags, seq, ack, data)))
    return sent


CASES: dict[str, tuple[list[Segment], dict[str, Any]]] = {
    "attempt": (HANDSHAKE[:1], {"conn_state": "S0", "history": "S"}),
    "established": (HANDSHAKE + DATA, {"conn_state": "S1", "history": "ShADd", "orig_bytes": 5, "resp_bytes": 6}),
    "closed by both": (
        [
            *HANDSHAKE,
            *DATA,
            ("o", FIN | ACK, 106, 507, b""),
            ("r", FIN | ACK, 507, 107, b""),
            ("o", ACK, 107, 508, b""),
        ],
        {"conn_state": "SF", "history": "ShADdFf", "orig_bytes": 5, "resp_bytes": 6, "duration": 0.6, "orig_pkts": 5},
    ),
    "refused": ([HANDSHAKE[0], ("r", RST | ACK, 0, 101, b"")], {"conn_state": "REJ", "history": "Sr"}),
    "aborted by originator": ([*HANDSHAKE, ("o", RST, 101, 0, b"")], {"conn_state": "RSTO", "history": "ShAR"}),
    "aborted by responder": ([*HANDSHAKE, ("r", RST, 501, 0, b"")], {"conn_state": "RSTR", "history": "ShAr"}),
    "attempt given up": ([HANDSHAKE[0], ("o", RST, 101, 0, b"")], {"conn_state": "RSTOS0", "history": "SR"}),
    "responder resets unseen attempt": (
        [HANDSHAKE[1], ("r", RST, 501, 0, b"")],
        {"conn_state": "RSTRH", "history": "^hr"},
    ),
    "half open, closed": ([HANDSHAKE[0], ("o", FIN, 101, 0, b"")], {"conn_state": "SH", "history": "SF"}),
    "unseen attempt, closed": (
        [HANDSHAKE[1], ("r", FIN | ACK, 501, 101, b"")],
        {"conn_state": "SHR", "history": "^hf"},
    ),
    "closed by originator": ([*HANDSHAKE, ("o", FIN | ACK, 101, 501, b"")], {"conn_state": "S2", "history": "ShAF"}),
    "closed by responder": ([*HANDSHAKE, ("r", FIN | ACK, 501, 101, b"")], {"conn_state": "S3", "history": "ShAf"}),
    "midstream": (DATA, {"conn_state": "OTH", "history": "Dd"}),
    "gap": (
        [*HANDSHAKE, ("o", ACK, 201, 501, b"later"), ("r", ACK, 501, 206, b"")],
        {"conn_state": "S1", "history": "ShADaG", "missed_bytes": 100, "orig_bytes": 105},
    ),
    "retransmission": (
        [*HANDSHAKE, DATA[0], DATA[0], DATA[0]],
        {"history": "ShADT", "orig_bytes": 5, "orig_pkts": 5},
    ),
    "both in one": ([("o", SYN | FIN, 100, 0, b"")], {"history": "Q"}),
    "wrapped numbers": (
        [
            ("o", SYN, 0xFFFFFFFE, 0, b""),
            ("r", SYN | ACK, 500, 0xFFFFFFFF, b""),
            ("o", ACK, 0xFFFFFFFF, 501, b"0123456789"),
            ("r", ACK, 501, 9, b""),
        ],
        {"conn_state": "S1", "orig_bytes": 10, "missed_bytes": 0},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_script_gives_zeeks_record(analyse: Analyse, name: str) -> None:
    script, expected = CASES[name]
    (record,) = analyse(play(script))
    assert {key: record.get(key) for key in expected} == expected


def test_an_unanswered_attempt_ends_after_5_seconds(analyse: Analyse) -> None:
    script = [("o", SYN, 100, 0, b""), ("o", ACK, 101, 0, b"late")]
    records = analyse(play(script, spacing=5 * SECOND))
    assert [record["conn_state"] for record in records] == ["S0", "OTH"]


def test_the_same_ports_again_are_another_conversation(analyse: Analyse) -> None:
    closed = CASES["closed by both"][0]
    again = [("o", SYN, 9000, 0, b"")]
    assert [record["conn_state"] for record in analyse(play(closed + again))] == ["SF", "S0"]


def test_an_idle_connection_ends_after_5_minutes(analyse: Analyse) -> None:
    frames_ = play(HANDSHAKE)
    frames_.append((frames_[-1][0] + 299 * SECOND, frames.tcp(CLIENT, 4000, SERVER, 8080, ACK, 101, 501, b"x")))
    assert len(analyse(frames_)) == 1
    frames_.append((frames_[-1][0] + 300 * SECOND, frames.tcp(CLIENT, 4000, SERVER, 8080, ACK, 102, 501, b"x")))
    assert len(analyse(frames_)) == 2


def test_udp_ends_after_a_minute(analyse: Analyse) -> None:
    datagram = frames.udp(CLIENT, 4000, SERVER, 9999, b"x")
    assert len(analyse([(SECOND, datagram), (60 * SECOND, datagram)])) == 1
    assert len(analyse([(SECOND, datagram), (61 * SECOND, datagram)])) == 2


def test_a_long_history_is_kept_whole(analyse: Analyse) -> None:
    script = [("o", SYN, 1000 * i, 0, b"") for i in range(1)] + [("o", RST, 2000 * i, 0, b"") for i in range(1, 60)]
    records = analyse(play(script, spacing=1000))
    assert sum(record["history"].count("R") for record in records) == 59
