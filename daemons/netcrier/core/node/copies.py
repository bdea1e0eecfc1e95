"""Tells a copy by another carrier from a replay: the same datagram, heard twice within a second.

A node on two networks, or on one with two carriers, hears each datagram as often. Whoever replays so soon has won
nothing: what came first holds. Datagrams are known by their last bytes: the tag of a seal, or a signature's end.
"""

from __future__ import annotations

from typing import Final

from netcrier.wire.envelope import TAG_SIZE

KEPT: Final = 64
"""Datagrams that are remembered at least, and twice as many at most."""
SOON: Final = 1.0
"""Seconds within which the same bytes are a copy."""


class Copies:
    """See the module."""

    def __init__(self) -> None:
        self._heard: dict[bytes, float] = {}
        self._before: dict[bytes, float] = {}

    def heard(self, data: bytes, now: float) -> None:
        """A datagram was taken."""
        self._heard[data[-TAG_SIZE:]] = now
        if len(self._heard) >= KEPT:
            self._before, self._heard = self._heard, {}

    def is_copy(self, data: bytes, now: float) -> bool:
        """Whether the same was taken just now."""
        tail = data[-TAG_SIZE:]
        at = self._heard.get(tail, self._before.get(tail))
        return at is not None and now - at <= SOON
