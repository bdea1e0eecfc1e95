"""What each node may have sent again of messages in blocks: one that fetches without end leaves the others half.

Theory of operation
- A node is charged for what is sent for it, not for what it asks: a retry names again what still lacks.
- Its credit is FETCHED_MAX pieces and grows back within a second, or at half of the rate at which all of it goes
  (rate.py), where that is slower. A loss of 40 % takes two fifths of what is sent: less than the half.
- Who has credit left gets a whole block and may owe a part of it: no sum decides between its pieces.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from netcrier.core.master.rate import Rate
from netcrier.errors import DecodeError
from netcrier.wire.limits import FETCHED_MAX, FRAGMENT_SIZE

SHARE: Final = 0.5
"""Of the rate, for one node."""
_PIECE: Final = 8 * (FRAGMENT_SIZE + 88)
"""Bits of a whole fragment on the wire."""


@dataclass(slots=True)
class _Credit:
    """Pieces that were left at some time."""

    left: float = FETCHED_MAX
    at: float = 0.0


class Shares:
    """See the module. `refused` counts what is not sent."""

    def __init__(self, rate: Rate, refused: Counter[str]) -> None:
        self._rate, self._refused = rate, refused
        self._credits: dict[int, _Credit] = {}
        """By node that has fetched."""

    def require(self, index: int, now: float) -> None:
        """DecodeError where the node with this index has no credit left."""
        credit = self._credits.setdefault(index, _Credit())
        per_second = min(FETCHED_MAX, self._rate.bits * SHARE / _PIECE)
        credit.left, credit.at = min(FETCHED_MAX, credit.left + (now - credit.at) * per_second), now
        if credit.left <= 0:
            raise DecodeError("too many fetches")

    def may(self, index: int, now: float) -> bool:
        """Whether it has; else what it asked for is counted as refused."""
        try:
            self.require(index, now)
        except DecodeError as error:
            self._refused[error.reason] += 1
            return False
        return True

    def charge(self, index: int, pieces: int) -> None:
        """So many are sent for a node that had credit."""
        self._credits[index].left -= pieces
