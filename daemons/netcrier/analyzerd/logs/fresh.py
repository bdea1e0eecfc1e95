"""A log of one run, as `--read` writes it: a file that begins empty and is never rotated."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class FreshLog:
    """A `Log` of the writer."""

    def __init__(self, path: Path) -> None:
        """Replaces a file that was there: ext4 would write one that is emptied to the disk first. What a link names,
        or cannot be replaced, is emptied. Raises OSError."""
        self._path = path
        with suppress(OSError):
            if stat.S_ISREG(path.lstat().st_mode):
                path.unlink()
        self._file = path.open("wb", buffering=0)
        self.failure: OSError | None = None
        """Why it took less than it was given."""

    def append_lines(self, lines: bytes) -> int:
        """Append; how many bytes it took, up to the end of a line."""
        written, view = 0, memoryview(lines)
        try:
            while written < len(lines):
                written += os.write(self._file.fileno(), view[written:])
        except OSError as error:
            self.failure = OSError(error.errno, error.strerror, str(self._path))
            whole = lines.rfind(b"\n", 0, written) + 1
            self._file.truncate(self._file.seek(0, os.SEEK_END) - (written - whole))
            return whole
        return written

    def tick(self) -> None:
        """There is nothing to rotate."""

    def reopen(self) -> None:
        """There is nothing to reopen."""

    def close(self) -> None:
        """Nothing comes any more."""
        self._file.close()
