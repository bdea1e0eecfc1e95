"""How many commits a store has had, in a file beside it: a store that has fewer has lost what it said.

SQLite goes on without a word from a write-ahead log that is cut. The number is written after each commit and not
synced: it outlives the process, and after a power cut it is at most too low.
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final

_LAYOUT: Final = struct.Struct(">QQQ")


class Watermark:
    """Of one file: a copy of it, or one that is put in its place under another inode, has none."""

    def __init__(self, store: Path) -> None:
        self._store, self._path = store, store.with_name("commits")
        self._file = -1
        self._place = (0, 0)

    def read(self) -> int:
        """How many commits the store has had; 0 where that is not known."""
        try:
            device, inode, commits = _LAYOUT.unpack(self._path.read_bytes())
        except (OSError, struct.error):
            return 0
        return commits if (device, inode) == self._where() else 0

    def write(self, commits: int) -> None:
        """So many are on disk."""
        with suppress(OSError):  # a number that is too low does no harm
            if self._file < 0:
                self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
                self._place = self._where()
            os.pwrite(self._file, _LAYOUT.pack(*self._place, commits), 0)

    def close(self) -> None:
        """The number stays."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _where(self) -> tuple[int, int]:
        place = self._store.stat()
        return place.st_dev, place.st_ino
