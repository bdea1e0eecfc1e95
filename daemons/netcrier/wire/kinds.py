"""The numbers of datagram kinds. Append-only: none gets a second meaning, an unknown one is refused and counted."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

MAGIC: Final = b"NC"
VERSION: Final = 1


class Kind(IntEnum):
    """The fourth byte of every datagram; below 0x40 from the master, from 0x40 to the master."""

    BEACON = 1
    MESSAGE = 2
    SKIP = 3
    SOLICIT = 4
    BLOCK = 5
    FRAGMENT = 6
    PARITY = 7
    WELCOME = 8
    HEARD = 9
    QUESTION = 10
    REKEY = 11
    TURN = 12

    HELLO = 0x41
    REPORT = 0x42
    REQUEST = 0x43
    ANSWER = 0x44
    FETCH = 0x45
    CATCH_UP = 0x46
    RENEW = 0x47
    TALLY = 0x48


UPWARD: Final = frozenset(
    {Kind.HELLO, Kind.REPORT, Kind.REQUEST, Kind.ANSWER, Kind.FETCH, Kind.CATCH_UP, Kind.RENEW, Kind.TALLY}
)
