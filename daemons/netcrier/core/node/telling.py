"""How a node answers a master of its own that asks what it has heard, or that has lower numbers than another had.

Each question is answered at most once, at most one each TELL_EVERY, at an address that the beacon itself lists; so a
recorded question that is replayed costs a few datagrams a second, to the master alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from netcrier.core.events import Address, Datagram, Pin
from netcrier.ids import NodeId
from netcrier.wire.beacon import Beacon
from netcrier.wire.envelope import AgreementKey, master_id, node_id
from netcrier.wire.header import up_key
from netcrier.wire.kinds import Kind
from netcrier.wire.tally import Tally, encode_tally

TELL_EVERY: Final = 0.4
"""Seconds; a master asks every 0.5 at the most."""
SPREAD: Final = 0.4
"""Seconds over which nodes spread their answers."""


class Telling:
    """See the module. `chance` gives a float in [0, 1)."""

    def __init__(self, key: AgreementKey, boot: int, chance: Callable[[], float]) -> None:
        self._key, self._boot, self._chance = key, boot, chance
        self._id: NodeId = node_id(key.public)
        self._newest: bytes | None = None
        self._told_at = 0.0
        self._counter = 0
        self._due: tuple[float, Beacon, Address] | None = None

    @property
    def timer(self) -> float | None:
        """When `say` has something to say."""
        return self._due[0] if self._due else None

    def heard(self, beacon: bytes) -> None:
        """The newest valid beacon of the master: proof, for one that has been replaced."""
        self._newest = beacon

    def asked(self, beacon: Beacon, to: Address, now: float) -> None:
        """A master asks; the answer is due shortly."""
        if self._due is None and now - self._told_at >= TELL_EVERY:
            self._told_at = now
            self._due = (now + SPREAD * self._chance(), beacon, to)

    def outdated(self, to: Address, now: float) -> Datagram | None:
        """A master speaks that another has replaced: hand it the other's own word."""
        if self._newest is None or now - self._told_at < TELL_EVERY:
            return None
        self._told_at = now
        return Datagram(self._newest, to)

    def say(self, pin: Pin, heard: tuple[int, int], epoch: int, lanes: tuple[tuple[int, int, int], ...]) -> Datagram:
        """The answer to who has asked. `heard`: the highest term and boot."""
        assert self._due is not None
        _, beacon, to = self._due
        self._due = None
        self._counter += 1
        shared = self._key.agree(pin.agreement_key)
        boots = (beacon.term, beacon.boot, self._boot)
        seal = up_key(shared, Kind.TALLY, pin.group, master_id(pin.signing_key), boots, self._id)
        tally = Tally(self._counter, *heard, epoch, lanes)
        return Datagram(encode_tally(pin.group, self._key.public, self._boot, seal, tally), to)
