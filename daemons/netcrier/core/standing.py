"""What a master is, among all that have its identity; tenure.py decides it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Standing(Enum):
    """One speaks; the others do not."""

    LISTENING = "listening"
    SPEAKING = "speaking"
    STANDBY = "standby"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class StandingChanged:
    """The standing has changed. `new_term`: nobody contradicts, but numbers may be lost: the shell begins a term."""

    standing: Standing
    why: str
    new_term: bool = False
