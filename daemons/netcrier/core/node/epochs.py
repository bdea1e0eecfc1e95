"""The group keys that a node has: the current one, one that is announced, and for a while the one before.

Rules
- What the master gives replaces all that was there. So after a revocation nothing opens what the old key sealed; in a
  rotation that was announced the node has both keys, and the old one goes on for OLD_EPOCH, for content only.
- An epoch does not go back within a term: what gives orders (beacon, solicitation) is refused under an older key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from netcrier.core.pacing import OLD_EPOCH
from netcrier.errors import DecodeError
from netcrier.wire.envelope import SealKey
from netcrier.wire.kinds import Kind

CONTENT: Final = frozenset({Kind.MESSAGE, Kind.SKIP, Kind.BLOCK, Kind.FRAGMENT, Kind.PARITY})
"""What a node opens under the key before, too."""


class Epochs:
    """See the module. `keys`: (epoch, secret), the current one first; older ones are left: their time is unknown."""

    def __init__(self, keys: tuple[tuple[int, bytes], ...] = ()) -> None:
        self.current = keys[0][0] if keys else 0
        self._secrets = {epoch: secret for epoch, secret in keys if epoch >= self.current}
        self._seals = {epoch: SealKey(secret) for epoch, secret in self._secrets.items()}
        self._ends: dict[int, float] = {}
        self.by_header: dict[bytes, SealKey] = {}
        """The seals again, by the headers (front and epoch) that were found good; empty after each change."""

    @property
    def any(self) -> bool:
        """Whether there is a key."""
        return bool(self._seals)

    def __contains__(self, epoch: int) -> bool:
        return epoch in self._seals

    @property
    def newest(self) -> int:
        """The highest epoch of which the key is here; 0 without."""
        return max(self._seals, default=0)

    @property
    def kept(self) -> tuple[tuple[int, bytes], ...]:
        """For the disk: the current key first."""
        return tuple(sorted(self._secrets.items(), key=lambda item: (item[0] != self.current, item[0])))

    @property
    def seals(self) -> Mapping[int, SealKey]:
        """By epoch."""
        return self._seals

    def not_before(self, epoch: int) -> None:
        """DecodeError `old epoch` for what gives orders under the key before."""
        if epoch < self.current:
            raise DecodeError("old epoch")

    def opened(self, epoch: int, now: float) -> bool:
        """A verified beacon of this epoch: it is the current one. True where that is new."""
        if epoch == self.current or epoch not in self._seals:
            return False
        self.current = epoch
        self.by_header.clear()
        for old in self._seals:
            if old < epoch:
                self._ends.setdefault(old, now + OLD_EPOCH)
        return True

    def drop(self, epoch: int) -> None:
        """The master has another key under this number."""
        self.by_header.clear()
        self._secrets.pop(epoch, None)
        self._seals.pop(epoch, None)

    def expire(self, now: float) -> None:
        """Forget keys whose time is over."""
        if not self._ends:
            return
        for epoch in [epoch for epoch, end in self._ends.items() if end <= now]:
            del self._ends[epoch]
            self.drop(epoch)
