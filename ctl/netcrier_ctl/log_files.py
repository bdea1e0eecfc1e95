"""JSON log files as people read them: the last lines, and on as they grow, across rotation.

A rotated file is read until its successor has content: a daemon writes to the old one until it is told to reopen. A
last line without its newline is still being written and is not shown.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from netcrier_ctl.complaint import Failure
from netcrier_ctl.exit_codes import Exit

BLOCK = 64 * 1024
"""Bytes read at a time on the way back from the end."""

LONGEST = 16 * 1024 * 1024
"""Bytes without a newline after which a file is taken for something else."""


def open_log(path: Path) -> BinaryIO | None:
    """The file for reading, None where there is none. Raises Failure."""
    try:
        return path.open("rb")
    except FileNotFoundError:
        return None
    except PermissionError:
        hint = "sudo usermod -aG netcrier $USER, then log in again"
        raise Failure(Exit.NOT_PERMITTED, f"{path}: your user may not read logs (group netcrier)", hint) from None


def backwards(file: BinaryIO, end: int | None = None) -> Iterator[bytes]:
    """The whole lines from `end`, or the present end, to the beginning, without their newlines. Raises Failure."""
    at = file.seek(0, os.SEEK_END) if end is None else end
    rest = b""
    whole = False  # what follows the last newline is not a line yet
    while at:
        step = min(BLOCK, at)
        at -= step
        file.seek(at)
        rest, *lines = (file.read(step) + rest).split(b"\n")
        for line in reversed(lines):
            if whole and line:
                yield line
            whole = True
        if len(rest) > LONGEST:
            raise Failure(Exit.FAILED, f"{getattr(file, 'name', 'the file')}: a line of more than {LONGEST:,} bytes")
    if whole and rest:
        yield rest


class Follower:
    """The lines that are appended at a path from now on, also to the file that takes the place of this one."""

    def __init__(self, path: Path) -> None:
        """Raises Failure."""
        self._path = path
        self._file = open_log(path)
        self._rest = b""
        self.start = 0 if self._file is None else self._file.seek(_after_newline(self._file))
        """The offset from which it goes on: what is in front of it was there before."""

    def lines(self) -> list[bytes]:
        """What is new, without newlines. Raises Failure."""
        found = self._read()
        if self._replaced():
            found += self._read()  # what came between the read and the rotation
            self.close()
            self._file, self._rest = open_log(self._path), b""
            found += self._read()
        return found

    def close(self) -> None:
        """End it."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read(self) -> list[bytes]:
        if self._file is None:
            return []
        if os.fstat(self._file.fileno()).st_size < self._file.tell():  # cut short by somebody: begin anew
            self._file.seek(0)
            self._rest = b""
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        return [line for line in lines if line]

    def _replaced(self) -> bool:
        """Whether another file is at the path and has content."""
        try:
            new = self._path.stat()
        except FileNotFoundError:
            return False  # moved away, and its successor is not there yet
        if self._file is None:
            return True
        old = os.fstat(self._file.fileno())
        return new.st_size > 0 and (new.st_dev, new.st_ino) != (old.st_dev, old.st_ino)


class Stamped(msgspec.Struct, frozen=True):
    """The key that every record has."""

    ts: float | str = 0.0
    """Epoch seconds or RFC 3339, as `log.time` says."""


def time_of(line: bytes) -> float | None:
    """Epoch seconds of a record; None where the line is no record."""
    try:
        return epoch(_STAMPED.decode(line).ts)
    except (msgspec.MsgspecError, ValueError):
        return None


def epoch(stamp: float | str) -> float:
    """A record's time in epoch seconds. Raises ValueError."""
    if isinstance(stamp, str):
        from datetime import datetime

        return datetime.fromisoformat(stamp).timestamp()
    return stamp


_STAMPED = msgspec.json.Decoder(Stamped)


def _after_newline(file: BinaryIO) -> int:
    """The offset behind the last newline."""
    at = file.seek(0, os.SEEK_END)
    while at:
        start = max(0, at - BLOCK)
        file.seek(start)
        found = file.read(at - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        at = start
    return 0
