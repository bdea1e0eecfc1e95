"""Kind numbers are append-only: this table grows and never changes."""

from __future__ import annotations

from netcrier.wire.kinds import MAGIC, UPWARD, VERSION, Kind


def test_no_number_changes_its_meaning() -> None:
    assert (MAGIC, VERSION) == (b"NC", 1)
    assert {kind.name: int(kind) for kind in Kind} == {
        "BEACON": 1,
        "MESSAGE": 2,
        "SKIP": 3,
        "SOLICIT": 4,
        "BLOCK": 5,
        "FRAGMENT": 6,
        "PARITY": 7,
        "WELCOME": 8,
        "HEARD": 9,
        "REKEY": 11,
        "QUESTION": 10,
        "TURN": 12,
        "HELLO": 0x41,
        "REPORT": 0x42,
        "REQUEST": 0x43,
        "ANSWER": 0x44,
        "FETCH": 0x45,
        "CATCH_UP": 0x46,
        "RENEW": 0x47,
        "TALLY": 0x48,
    }


def test_the_number_tells_the_direction() -> None:
    assert {kind for kind in Kind if kind >= 0x40} == UPWARD
