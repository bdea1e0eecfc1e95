"""Whether the store is where its last run left it: then nobody can have spoken since, and the master need not listen.

What the store keeps is a digest of the kernel's boot, of the store's file, and of a mark that changes with every run.
The mark lies in the runtime directory, which no backup holds: a copy, a restored backup (also one that is laid over the
same files) or a restarted machine gives another digest.
"""

from __future__ import annotations

import fcntl
import os
from hashlib import blake2b
from pathlib import Path
from typing import Final

from netcrier.errors import ConfigError, StoreError
from netcrier.runtime.secret_file import read_secret, write_secret

_KERNEL_BOOT = Path("/proc/sys/kernel/random/boot_id")
_MARK_SIZE: Final = 16


def lock(state_dir: Path) -> int:
    """A descriptor that holds the state until it is closed; ConfigError where another masterd has it."""
    descriptor = os.open(state_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ConfigError(f"{state_dir} is used by another masterd") from None
    return descriptor


class Whereabouts:
    """Of one store. Where the mark is lost or cannot be kept the next run listens; it does no other harm."""

    def __init__(self, store: Path, mark: Path) -> None:
        self._store, self._mark = store, mark

    def now(self) -> bytes:
        """The digest of the store as it lies here."""
        try:
            mark = read_secret(self._mark)
        except StoreError:
            mark = None
        return self._digest(mark or os.urandom(_MARK_SIZE))

    def renew(self) -> bytes:
        """The digest for the next run to find, with a new mark; empty where that cannot be kept."""
        mark = os.urandom(_MARK_SIZE)
        try:
            write_secret(self._mark, mark)
        except StoreError:
            return b""
        return self._digest(mark)

    def _digest(self, mark: bytes) -> bytes:
        place = self._store.stat()
        text = f"{_this_boot()} {place.st_dev} {place.st_ino} ".encode()
        return blake2b(text + mark, digest_size=_MARK_SIZE).digest()


def _this_boot() -> str:
    """The kernel's number of this boot. Where it is hidden no store is known to lie where it was left."""
    try:
        return _KERNEL_BOOT.read_text()
    except OSError:
        return os.urandom(_MARK_SIZE).hex()
