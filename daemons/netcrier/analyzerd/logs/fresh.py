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
        self._old = _set_aside(path)
        self._file = path.open("wb", buffering=0)
        self.failure: OSError | None = None
        """Why it took less than it was given."""

    def append_lines(self, lines: bytes) -> int:
        """Append; how many bytes it took, up to the end of a line."""
        self._let_go()
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
        self._let_go()
        self._file.close()

    def _let_go(self) -> None:
        """Of the file that was there: to free a large one takes a while, so the writer's thread does it."""
        if self._old is not None:
            os.close(self._old)
            self._old = None


def _set_aside(path: Path) -> int | None:
    """What keeps the file that was there, which has no name any more."""
    try:
        old = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with suppress(OSError):
        if stat.S_ISREG(os.fstat(old).st_mode):
            path.unlink()
    return old
