"""The master's group keys: which holds, which is announced, and when a key has to change.

Rules
- An epoch never gets a second key. What replaces a key at once skips the number that is announced: who has to go may
  have its key.
- Every change is a value that the shell commits first (`due`, `announced`, `replaced`) and then gives back (`take`):
  the master never speaks under a key that its disk does not have.
- A key is used for at most `limit` datagrams, counted over restarts: the disk has an upper bound of what was sealed.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from netcrier.core.pacing import ANNOUNCED
from netcrier.wire.envelope import SealKey
from netcrier.wire.limits import KEY_DATAGRAMS_MAX

_RETRY = 1.0
"""Seconds after which a change that was not committed is due again."""


class GroupKeys(msgspec.Struct, frozen=True):
    """What is on disk. `open`: anyone may join; `next_secret`: the announced key of the next epoch, or nothing."""

    epoch: int
    secret: bytes
    open: bool
    since_us: int = 0
    sealed: int = 0
    next_secret: bytes = b""

    @property
    def given(self) -> tuple[tuple[int, bytes], ...]:
        """What a member gets: (epoch, secret), the current one first."""
        current = ((self.epoch, self.secret),)
        return (*current, (self.epoch + 1, self.next_secret)) if self.next_secret else current


class Keyring:
    """See the module. `limit`: datagrams for which one key is used."""

    def __init__(self, keys: GroupKeys, limit: int = KEY_DATAGRAMS_MAX) -> None:
        self._limit, self._block = limit, max(1, limit // 2048)
        self._keys = keys
        self._seal = SealKey(keys.secret)
        self._sealed = keys.sealed + self._block  # a run that was killed has not said how many it sealed
        self._holds_at: float | None = None
        self._asked_at = float("-inf")

    @property
    def keys(self) -> GroupKeys:
        """The keys in force."""
        return self._keys

    @property
    def sealed(self) -> int:
        """How many datagrams the current key has sealed, at most."""
        return self._sealed

    def sealing(self) -> SealKey:
        """The key for one datagram."""
        self._sealed += 1
        return self._seal

    def take(self, keys: GroupKeys) -> None:
        """These are on disk."""
        if keys.epoch != self._keys.epoch:
            assert keys.epoch > self._keys.epoch
            self._seal, self._sealed = SealKey(keys.secret), 0
        if keys.next_secret != self._keys.next_secret:
            self._holds_at = None
        self._keys = keys

    def announced(self, secret: bytes) -> GroupKeys:
        """To commit: `secret` is the key of the next epoch. An announcement that stands is not changed."""
        return self._keys if self._keys.next_secret else replace(self._keys, next_secret=secret)

    def replaced(self, secret: bytes, now_us: int) -> GroupKeys:
        """To commit: `secret` holds at once, in a closed group."""
        skipped = 2 if self._keys.next_secret else 1
        return GroupKeys(self._keys.epoch + skipped, secret, open=False, since_us=now_us)

    def announcement(self, now: float) -> tuple[int, int]:
        """For a beacon: the next epoch and the ms until it holds; 0 and 0 without."""
        if not self._keys.next_secret:
            return 0, 0
        if self._holds_at is None:
            self._holds_at = now + ANNOUNCED
        return self._keys.epoch + 1, max(0, int((self._holds_at - now) * 1000))

    @property
    def timer(self) -> float | None:
        """When a change is due by time."""
        return None if self._holds_at is None else max(self._holds_at, self._asked_at + _RETRY)

    def asks(self, now: float) -> bool:
        """Whether `due` gives something to commit; said again after a second at the earliest."""
        wanted = self._worn or self._uncounted or (self._holds_at is not None and self._holds_at <= now)
        if not wanted or now < self._asked_at + _RETRY:
            return False
        self._asked_at = now
        return True

    def due(self, now: float, now_us: int, secret: bytes) -> GroupKeys | None:
        """To commit now: the announced key holds, or the key is worn and `secret` is announced, or the count rises."""
        keys = self._keys
        if self._holds_at is not None and self._holds_at <= now:
            return GroupKeys(keys.epoch + 1, keys.next_secret, keys.open, now_us)
        if self._worn:
            return replace(self.announced(secret), sealed=self._sealed)
        return replace(keys, sealed=self._sealed) if self._uncounted else None

    @property
    def _worn(self) -> bool:
        return self._sealed >= self._limit and not self._keys.next_secret

    @property
    def _uncounted(self) -> bool:
        return self._sealed >= self._keys.sealed + self._block // 2 + self._block
