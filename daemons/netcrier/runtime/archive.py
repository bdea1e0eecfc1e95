"""Rotated logs: `conn.log` becomes `conn.log-20261125T213453.123456Z`, then the same with `.zst` or `.gz`.

The name's time is when the file was closed, in UTC, so names sort by age and every line in the file is older. A thread
of low priority compresses; a compressed file appears whole or not at all, and a start finishes what a crash left over.
When the folder holds more than its budget, the oldest rotated files go, of whatever log. Without zstandard (the
extra `compress`) `auto` is gzip, which comes with Python.
"""

from __future__ import annotations

import gzip
import importlib
import os
import re
import shutil
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO, Literal

from netcrier.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Copy = Callable[[BinaryIO, BinaryIO], object]

Compression = Literal["auto", "zstd", "gzip", "none"]

MODE = 0o640
"""The group `netcrier` reads logs."""

GZIP_LEVEL = 4
ZSTD_LEVEL = 3
BLOCK = 1 << 20
"""Bytes compressed at a time."""

NICE = 19
"""Of the compressing thread: it never takes a core from the capture."""

_PART = ".part"
_ROTATED = re.compile(r"(?P<log>.+\.log)-(?P<at>\d{8}T\d{6}\.\d{6}Z)(?P<suffix>|\.zst|\.gz)")


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a log's file is changed for a new one, and how much may stay. 0 means no limit."""

    size: int = 0
    """Bytes."""
    every: int = 0
    """Seconds: a file holds lines of one such span only, counted from midnight UTC."""
    budget: int = 0
    """Bytes of all files in the folder together."""
    compression: Compression = "auto"
    """`auto` is zstd where zstandard is installed, else gzip."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """A file that was rotated away."""

    path: Path
    log: str
    """As `conn.log`."""
    at: str
    """When it was closed, as in its name."""
    plain: bool
    """Not compressed yet."""


def rotated_name(log: str, seconds: float) -> str:
    """The name of the file `log` closed at `seconds` (epoch)."""
    return f"{log}-{datetime.fromtimestamp(seconds, UTC):%Y%m%dT%H%M%S.%fZ}"


def rotated(folder: Path) -> list[Rotated]:
    """The rotated files of a folder, the oldest first. Raises OSError."""
    found = []
    for path in folder.iterdir():
        if match := _ROTATED.fullmatch(path.name):
            found.append(Rotated(path, match["log"], match["at"], not match["suffix"]))
    return sorted(found, key=lambda one: (one.at, one.log, one.plain))


def compressor(compression: Compression) -> tuple[str, Copy] | None:
    """The suffix and the function that copies compressed; None for `none`. Raises ConfigError."""
    if compression == "none":
        return None
    if compression != "gzip":
        try:
            zstandard = importlib.import_module("zstandard")
        except ImportError:
            if compression == "zstd":
                raise ConfigError(
                    "log.compression: zstd needs zstandard: pip install 'netcrier[compress]', or choose gzip"
                ) from None
        else:
            return ".zst", zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).copy_stream
    return ".gz", _copy_gzip


class Archive:
    """The rotated files of one folder."""

    def __init__(self, folder: Path, rotation: Rotation) -> None:
        """Compresses what an earlier run left over. Raises ConfigError."""
        self._folder = folder
        self.rotation = rotation
        """When the logs of the folder are to be rotated."""
        self._compressor = compressor(rotation.compression)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._again = False
        self.removed = 0
        """Rotated files that went for the budget, since the start."""
        self.failure = ""
        """Why the last round could not do its work; empty where it could."""
        self.tidy()

    def tidy(self) -> None:
        """Compress and keep the budget, in a thread; at once or as soon as the present round is over."""
        with self._lock:
            self._again = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="archive", daemon=True)
                self._thread.start()

    def wait(self, seconds: float) -> None:
        """Until the present round is over, or the time."""
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join(seconds)

    def _run(self) -> None:
        with suppress(OSError):  # not allowed under systemd's system call filter
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        while True:
            with self._lock:
                if not self._again:
                    self._thread = None
                    return
                self._again = False
            try:
                self._compress_all()
                self._keep_budget()
                self.failure = ""
            except OSError as error:
                self.failure = f"{error.filename or self._folder}: {error.strerror}"

    def _compress_all(self) -> None:
        self._keep_budget()
        for part in self._folder.glob(f"*.log-*{_PART}"):
            part.unlink()
        whole = {one.path.with_suffix("") for one in rotated(self._folder) if not one.plain}
        for one in rotated(self._folder):
            if one.plain and one.path in whole:
                one.path.unlink()  # a crash came between the two steps below
            elif one.plain and self._compressor:
                _compress(one.path, *self._compressor)

    def _keep_budget(self) -> None:
        if not self.rotation.budget:
            return
        sizes = {path: path.stat().st_size for path in self._folder.iterdir() if ".log" in path.name}
        total = sum(sizes.values())
        for one in rotated(self._folder):
            if total <= self.rotation.budget:
                return
            one.path.unlink()
            self.removed += 1
            total -= sizes.get(one.path, 0)


def _compress(path: Path, suffix: str, copy: Copy) -> None:
    """Replace `path` by its compressed copy, which has its times too."""
    target = path.with_name(path.name + suffix)
    part = path.with_name(target.name + _PART)
    times = path.stat()
    try:
        with path.open("rb") as source, open(part, "wb", opener=_private) as out:
            copy(source, out)
            out.flush()
            os.fsync(out.fileno())
        os.utime(part, ns=(times.st_atime_ns, times.st_mtime_ns))
        part.rename(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    path.unlink()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, MODE)


def _copy_gzip(source: BinaryIO, target: BinaryIO) -> None:
    with gzip.GzipFile(fileobj=target, mode="wb", compresslevel=GZIP_LEVEL, filename="") as out:
        shutil.copyfileobj(source, out, BLOCK)
