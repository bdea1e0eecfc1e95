"""What a master is, among all that have its identity; tenure.py decides it."""

from __future__ import annotations

from enum import Enum

import msgspec


class Standing(Enum):
    """One speaks; the others do not."""

    LISTENING = "listening"
    SPEAKING = "speaking"
    STANDBY = "standby"
    SUPERSEDED = "superseded"


class StandingChanged(msgspec.Struct, frozen=True):
    """The standing has changed. `new_term`: nobody contradicts, but numbers may be lost: the shell begins a term."""

    standing: Standing
    why: str
    new_term: bool = False
