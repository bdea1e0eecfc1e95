"""JSON logs: one object a line, whole lines, appended. A full disk is counted, never raised.

A line that could not be written whole is taken back, so that a reader never meets half a line in front of the next
one. On standard output every line names its log in a first key, `"log"`. What a record holds is its owner's matter, and
so is writing again what a full disk lost. Rotation is by rename and `reopen`; copy-and-truncate would lose lines.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from netcrier.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

STDOUT = 1
TAIL_BLOCK = 64 * 1024
"""Bytes read at a time when looking for the last line."""

MODE = 0o640
"""The group `netcrier` reads logs."""

Clock = Literal["epoch", "iso"]


def encode(record: Any) -> bytes:
    """One JSON line, without its newline. `record` is a struct or a dict of plain values."""
    return msgspec.json.encode(record)


def stamp(seconds: float, clock: Clock) -> float | str:
    """A time as the log writes it: epoch seconds with six decimals, or RFC 3339 in UTC."""
    if clock == "epoch":
        return round(seconds, 6)
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class JsonLog:
    """One log file, or standard output, or both."""

    def __init__(self, path: Path | None, stdout: bool = False, name: str = "messages") -> None:
        """Opens `path` for appending; `name` is the log's on standard output. Raises StoreError."""
        self.path = path
        self.full = False
        """Whether the last line was lost."""
        self.lost = 0
        """Lines lost since the start."""
        self._stdout = stdout
        self._tag = b'{"log":"' + name.encode() + b'"'
        self._file = self._open()

    def append(self, line: bytes) -> bool:
        """Write one JSON object without its newline; False if the file did not take it."""
        if self._stdout:
            head = self._tag if line == b"{}" else self._tag + b","
            with suppress(OSError):  # nobody reads; the file and the journal still have it
                _write_all(STDOUT, head + line[1:] + b"\n")
        if self._file is None:
            return True
        written = _append_whole(self._file, line + b"\n")
        self.full = not written
        self.lost += not written
        return written

    def reopen(self) -> None:
        """Continue in the file that the path now names, made if missing. Raises StoreError and keeps the old one."""
        fresh = self._open()
        self.close()
        self._file = fresh

    def last_line(self) -> bytes | None:
        """The last whole line without its newline, None without one; cuts a torn tail first. Raises StoreError."""
        if self.path is None or self._file is None:
            return None
        try:
            end = _cut_tail(self._file, os.fstat(self._file).st_size)
            begin = _line_end_before(self._file, end - 1)
            return os.pread(self._file, end - 1 - begin, begin) if end else None
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror}") from error

    def close(self) -> None:
        """Nothing can be appended to the file after this."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self) -> int | None:
        if self.path is None:
            return None
        try:
            return os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, MODE)
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror}; --log-dir or NETCRIER_LOG_DIR names another") from error


def _append_whole(file: int, line: bytes) -> bool:
    """Append all of `line` or none of it."""
    written = 0
    try:
        while written < len(line):
            written += os.write(file, line[written:])
    except OSError as error:
        if error.errno == errno.EBADF:
            raise
        if written:
            os.ftruncate(file, os.fstat(file).st_size - written)
        return False
    return True


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def _cut_tail(file: int, size: int) -> int:
    """Cut what follows the last newline; the size that is left."""
    end = _line_end_before(file, size)
    if end != size:
        os.ftruncate(file, end)
    return end


def _line_end_before(file: int, limit: int) -> int:
    """The offset just after the last newline in front of `limit`, 0 without one."""
    while limit > 0:
        start = max(0, limit - TAIL_BLOCK)
        found = os.pread(file, limit - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        limit = start
    return 0
