"""JSON logs: one object a line, whole lines, appended. A full disk is counted, never raised.

A line that could not be written whole is taken back, so that a reader never meets half a line in front of the next
one. On standard output every line names its log in a first key, `"log"`. What a record holds is its owner's matter, and
so is writing again what a full disk lost, and asking before a line whether a rotation is due. Rotation is by rename,
whoever renames; copy-and-truncate would lose lines.
"""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from netcrier.errors import StoreError
from netcrier.runtime.archive import MODE, Archive, Rotation, rotated_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STDOUT = 1
TAIL_BLOCK = 64 * 1024
"""Bytes read at a time when looking for the last line."""

ROTATION_PAUSE = 60.0
"""Seconds after a rotation that failed until it is tried again."""

Clock = Literal["epoch", "iso"]
_EPOCH: Final = datetime.fromtimestamp(0, UTC)


def encode(record: Any) -> bytes:
    """One JSON line, without its newline. `record` is a struct or a dict of plain values."""
    return msgspec.json.encode(record)


def stamp(time_us: int, clock: Clock) -> float | str:
    """A time, in µs since 1970, as the log writes it: epoch seconds with six decimals, or RFC 3339 in UTC."""
    if clock == "epoch":
        return time_us / 1e6
    return (_EPOCH + timedelta(microseconds=time_us)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def message_log(folder: Path, stdout: bool, rotation: Rotation) -> JsonLog:
    """A daemon's messages.log in `folder`, or on standard output alone. Raises ConfigError, StoreError."""
    if stdout:
        return JsonLog(None, stdout=True)
    log = JsonLog(folder / "messages.log", archive=Archive(folder, rotation))
    log.cut_tail()
    return log


class JsonLog:
    """One log file, or standard output, or both."""

    def __init__(
        self,
        path: Path | None,
        stdout: bool = False,
        name: str = "messages",
        archive: Archive | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Opens `path` for appending; `name` is the log's on standard output. Raises StoreError.

        `archive` says when to rotate and is told of rotated files; `now` gives epoch seconds.
        """
        self.path = path
        self._rotation, self._archive, self._now = archive.rotation if archive else Rotation(), archive, now
        self._size, self._span, self._pause = 0, 0, 0.0
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
            self._say(line)
        if self._file is None:
            return True
        written = self._write(line + b"\n") > 0
        self.lost += not written
        return written

    def append_lines(self, lines: bytes) -> int:
        """Write whole lines; how many bytes of them the file took, whole lines again."""
        written = len(lines) if self._file is None else self._write(lines)
        if self._stdout:
            for line in lines[:written].splitlines():
                self._say(line)
        return written

    def tick(self) -> None:
        """Before a line, or once in a while: rotate where it is due."""
        if self.due:
            self.rotate()

    @property
    def due(self) -> bool:
        """Whether the next line belongs into a new file."""
        if not self._size or self._file is None:
            return False
        now = self._now()
        too_large = 0 < self._rotation.size <= self._size
        return (too_large or self._span != self._span_at(now)) and now >= self._pause

    def rotate(self) -> None:
        """Put the file aside and go on in a new one; where that fails, go on in the old one."""
        assert self.path is not None
        now = self._now()
        aside = self.path.with_name(rotated_name(self.path.name, now))
        try:
            self.path.rename(aside)
            try:
                self.reopen()
            except StoreError:
                aside.rename(self.path)
                raise
        except (OSError, StoreError):
            self._pause = now + ROTATION_PAUSE
            return
        if self._archive:
            self._archive.tidy()

    def reopen(self) -> None:
        """Continue in the file that the path now names, made if missing. Raises StoreError and keeps the old one."""
        before = self._file
        self._file = self._open()
        if before is not None:
            os.close(before)

    @property
    def empty(self) -> bool:
        """Whether there is a file and nothing is in it."""
        return self._file is not None and not self._size

    def sync(self) -> None:
        """What is in the file is on disk when this returns. Raises StoreError."""
        if self._file is None:
            return
        try:
            os.fsync(self._file)
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror}") from error

    def last_line(self) -> bytes | None:
        """The last whole line without its newline, None without one; cuts a torn tail first. Raises StoreError."""
        end = self.cut_tail()
        if self._file is None:
            return None
        try:
            begin = _line_end_before(self._file, end - 1)
            return os.pread(self._file, end - 1 - begin, begin) if end else None
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror}") from error

    def cut_tail(self) -> int:
        """Cut what a crash left of a line; the bytes that stay. Raises StoreError."""
        if self._file is None:
            return 0
        try:
            self._size = _cut_tail(self._file, os.fstat(self._file).st_size)
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror}") from error
        return self._size

    def close(self) -> None:
        """Nothing can be appended to the file after this."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self) -> int | None:
        if self.path is None:
            return None
        try:
            file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, MODE)
            status = os.fstat(file)
            self._size, self._span = status.st_size, self._span_at(status.st_mtime)
            return file
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror}; --log-dir or NETCRIER_LOG_DIR names another") from error

    def _say(self, line: bytes) -> None:
        """On standard output."""
        head = self._tag if line == b"{}" else self._tag + b","
        with suppress(OSError):  # nobody reads; the file and the journal still have it
            _write_all(STDOUT, head + line[1:] + b"\n")

    def _write(self, lines: bytes) -> int:
        assert self._file is not None
        written = _append_whole(self._file, lines)
        self.full = written < len(lines)
        if written:
            self._size += written
            self._span = self._span_at(self._now())
        return written

    def _span_at(self, seconds: float) -> int:
        """The span of the rotation in which a time is."""
        return int(seconds // self._rotation.every) if self._rotation.every else 0


def _append_whole(file: int, lines: bytes) -> int:
    """Append what there is room for, up to the end of a line; how many bytes."""
    written = 0
    try:
        while written < len(lines):
            written += os.write(file, memoryview(lines)[written:])
    except OSError as error:
        if error.errno == errno.EBADF:
            raise
        whole = lines.rfind(b"\n", 0, written) + 1
        if whole < written:
            os.ftruncate(file, os.fstat(file).st_size - (written - whole))
        return whole
    return written


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
