"""How fast the master sends what comes in blocks: a token bucket whose rate follows the nodes' loss.

Rules:
- Additive increase after a message that 90 % of the nodes had without loss, multiplicative decrease after one that they
  had not: the rate is cut by the share that was lost, so it falls to what the path carries. A tenth of the nodes may be
  bad without slowing the others.
- The bucket holds a few ms worth: bursts stay within the buffers of switches.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

RATE_START: Final = 100e6
"""Bits a second: a quarter of what the slowest nodes measured take in, and no more than 100BASE-T carries."""
RATE_LEAST: Final = 2e6
RATE_MOST: Final = 1e9
RATE_STEP: Final = 5e6
"""Bits a second more after a message without loss."""
LOSS_TOLERATED: Final = 0.01
"""The share of fragments that may lack without being taken for a sign of congestion."""
CUT_MOST: Final = 0.5
"""The rate is at most halved at once."""
_DEPTH: Final = 0.020
_TURN: Final = 0.004


def percentile_90(shares: Iterable[float]) -> float | None:
    """The nearest-rank 90th percentile; None of nothing."""
    ordered = sorted(shares)
    return ordered[-(-9 * len(ordered) // 10) - 1] if ordered else None


class Rate:
    """`bits` a second now, and the `loss` that made it so: None before the first measurement."""

    def __init__(self) -> None:
        self.bits = RATE_START
        self.loss: float | None = None
        self._left = 0.0
        self._at = 0.0

    def measured(self, shares: Iterable[float]) -> None:
        """The share of a message's fragments that each node lacked after they were sent once."""
        loss = percentile_90(shares)
        if loss is None:
            return
        self.loss = loss
        if loss > LOSS_TOLERATED:
            self.bits = max(RATE_LEAST, self.bits * (1 - min(loss, CUT_MOST)))
        else:
            self.bits = min(RATE_MOST, self.bits + RATE_STEP)

    def allows(self, now: float) -> bool:
        """Whether a datagram may leave now."""
        self._left = min(self.bits / 8 * _DEPTH, self._left + (now - self._at) * self.bits / 8)
        self._at = now
        return self._left > 0

    def spend(self, size: int) -> None:
        """A datagram of `size` bytes has left."""
        self._left -= size

    @property
    def next(self) -> float:
        """When a turn's worth may leave."""
        return self._at + max(0.0, _TURN - self._left / (self.bits / 8))
