"""Tells a copy by another carrier from a replay: the same bytes, heard twice within a second.

A node on two networks, or on one with two carriers, hears each datagram as often. Whoever replays so soon has won
nothing: what came first holds.
"""

from __future__ import annotations

from typing import Final

KEPT: Final = 64
"""Datagrams that are remembered."""
SOON: Final = 1.0
"""Seconds within which the same bytes are a copy."""


class Copies:
    """See the module."""

    def __init__(self) -> None:
        self._heard: dict[bytes, float] = {}

    def heard(self, data: bytes, now: float) -> None:
        """A datagram was taken."""
        self._heard[data] = now
        if len(self._heard) > KEPT:
            del self._heard[next(iter(self._heard))]

    def is_copy(self, data: bytes, now: float) -> bool:
        """Whether the same was taken just now."""
        at = self._heard.get(data)
        return at is not None and now - at <= SOON
