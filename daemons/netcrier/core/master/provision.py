"""How much parity goes along with a block before anyone has said what it lacks: what the path is seen to lose.

Rules:
- The loss is that of the last message of at least TELLING fragments, at the 90th percentile of the nodes that can use
  parity: a tenth of the nodes may be bad without costing the others. A smaller message tells too little.
- Up to LOSS_TOLERATED nothing goes along: what little is lost is cheaper to repair.
- Beyond, as much as a node lacks of a block in all but a few of a thousand, at most MOST: at a greater loss the rest is
  sent as nodes ask for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil, sqrt
from typing import Final

from netcrier.core.master.rate import LOSS_TOLERATED, percentile_90

TELLING: Final = 256
"""Fragments of a message by which a loss of 1 % is told from none."""
MOST: Final = 8
"""Pieces for a block: a quarter of it."""
_DEVIATIONS: Final = 3


class Provision:
    """See the module. `loss` is a share of what is sent; 0 where none is known."""

    def __init__(self) -> None:
        self.loss = 0.0

    def measured(self, shares: Iterable[float], fragments: int) -> None:
        """What each node that can use parity has lost of a message of so many fragments."""
        if fragments >= TELLING:
            self.loss = percentile_90(shares) or 0.0

    def pieces(self, count: int) -> int:
        """How many go along with a block of `count` fragments."""
        if self.loss <= LOSS_TOLERATED:
            return 0
        lost = count * self.loss
        return min(MOST, round(lost + _DEVIATIONS * sqrt(lost)))


def spare(pieces: int, loss: float) -> int:
    """How many more to send than nodes need, where a share is lost of what is sent: as many as will be lost of them, at
    most as many again. A node says itself what it has lost: near 1 this would be without bound."""
    return ceil(pieces * min(loss / (1 - loss), 1)) if LOSS_TOLERATED < loss < 1 else 0
