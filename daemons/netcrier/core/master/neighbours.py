"""Masters of other groups on the same network, as far as their beacons verify: counted, and otherwise let be."""

from __future__ import annotations

from typing import Final

from netcrier.core.pacing import Budget
from netcrier.errors import DecodeError
from netcrier.ids import MasterId
from netcrier.wire.beacon import decode_beacon, verify_beacon
from netcrier.wire.envelope import Verifier
from netcrier.wire.limits import NEIGHBOURS_MAX, STRANGERS_PER_SECOND

GONE_AFTER: Final = 10.0
"""Seconds of silence."""


class Neighbours:
    """See the module."""

    def __init__(self) -> None:
        self._heard: dict[MasterId, float] = {}
        self._strangers = Budget(STRANGERS_PER_SECOND)

    def heard(self, data: bytes, now: float) -> None:
        """A beacon of another group or master; one that does not verify is forgotten at once."""
        if not self._strangers.spend(now):
            return
        try:
            verifier = Verifier(decode_beacon(data).signing_key)
            verify_beacon(data, verifier)
        except DecodeError:
            return
        if verifier.master in self._heard or len(self._heard) < NEIGHBOURS_MAX:
            self._heard[verifier.master] = now

    def count(self, now: float) -> int:
        """How many speak."""
        self._heard = {master: at for master, at in self._heard.items() if now - at <= GONE_AFTER}
        return len(self._heard)
