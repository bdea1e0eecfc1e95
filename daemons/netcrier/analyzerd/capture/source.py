"""Where the bytes of a capture come from: a file, a compressed one, a pipe, standard input.

gzip and zstd are told by their first bytes, not by a name. Of damaged compressed data what comes before the damage is
handed on. Bounded: a few KiB of compressed data are unpacked at a time, so that a bomb stays small.
"""

from __future__ import annotations

import importlib
import os
import stat
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from netcrier.errors import ConfigError, DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

PIPE = 1 << 20
"""Bytes read at a time from a stream that is not compressed."""

CHUNK = 4 << 20
"""Bytes of unpacked data that are handed on together."""

HEAD = 1 << 20
"""Bytes in which a capture's first packet is looked for."""


class Compression(NamedTuple):
    """A way in which a capture may be packed."""

    magic: bytes
    begin: Callable[[], Any]
    """Makes an object with `decompress`, `eof` and `unused_data`, as zlib's."""
    slice: int
    """Bytes given to it at a time."""


def _gzip() -> Any:
    import zlib

    return zlib.decompressobj(wbits=31)


def _zstd() -> Any:
    try:
        zstandard = importlib.import_module("zstandard")
    except ImportError:
        raise ConfigError("reading zstd needs zstandard: pip install 'netcrier[compress]'") from None
    return zstandard.ZstdDecompressor().decompressobj()


COMPRESSIONS = (
    Compression(b"\x1f\x8b", _gzip, 64 << 10),
    Compression(b"\x28\xb5\x2f\xfd", _zstd, 4 << 10),
)


class Source:
    """The bytes of one capture, and how far they have been read."""

    def __init__(self, path: Path | None) -> None:
        """None is standard input. Raises OSError."""
        self.name = "standard input" if path is None else str(path)
        self._file = sys.stdin.fileno() if path is None else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._owned = path is not None
        status = os.fstat(self._file)
        if stat.S_ISDIR(status.st_mode):
            self.close()
            raise IsADirectoryError(21, "is a folder", self.name)
        self.size = status.st_size if stat.S_ISREG(status.st_mode) else 0
        """Bytes as they are stored; 0 where nobody knows."""
        self.done = 0
        """Of these, what has been read."""
        self._head = self._read(16)
        self.compression = next((one for one in COMPRESSIONS if self._head.startswith(one.magic)), None)
        self._given = 0
        """Bytes of the head that were put into a room."""
        self._packed = filling(self.chunks()) if self.compression else None

    def fill(self, room: memoryview) -> int:
        """Put the next bytes, unpacked, into `room`, which is not empty; how many: at the end 0.

        Raises OSError, ConfigError, and DecodeError after what could be unpacked.
        """
        if self._packed:
            return self._packed(room)
        head = self._head[self._given : self._given + len(room)]
        room[: len(head)] = head
        self._given += len(head)
        size = os.readv(self._file, [room[len(head) :]]) if len(head) < len(room) else 0
        self.done += size
        return len(head) + size

    def chunks(self) -> Iterator[bytes]:
        """The bytes, unpacked. Raises OSError, ConfigError, and DecodeError after what could be unpacked."""
        if self.compression is None:
            yield self._head
            while data := self._read(PIPE):
                yield data
        else:
            yield from self._gathered(self._unpacked(self.compression))

    def close(self) -> None:
        """Nothing more is read."""
        if self._owned:
            os.close(self._file)

    def _read(self, size: int) -> bytes:
        data = os.read(self._file, size)
        self.done += len(data)
        return data

    @staticmethod
    def _gathered(parts: Iterator[bytes]) -> Iterator[bytes]:
        held: list[bytes] = []
        size = 0
        failure: DecodeError | None = None
        while True:
            try:
                part = next(parts, None)
            except DecodeError as error:
                part, failure = None, error
            if part is not None:
                held.append(part)
                size += len(part)
            if size >= CHUNK or part is None:
                yield b"".join(held)
                held, size = [], 0
            if part is None:
                break
        if failure:
            raise failure

    def _unpacked(self, compression: Compression) -> Iterator[bytes]:
        data, unpack, finished = self._head, compression.begin(), False
        while data:
            if finished:  # another member follows, or padding
                data = data.lstrip(b"\0")
                while data and len(data) < len(compression.magic) and (more := self._read(compression.slice)):
                    data += more
                if not data:
                    data = self._read(compression.slice)
                    continue
                if not data.startswith(compression.magic):
                    raise DecodeError("corrupt", "what follows the compressed data is not compressed")
                unpack, finished = compression.begin(), False
            try:
                part = unpack.decompress(data)
            except Exception as error:  # noqa: BLE001 - zlib.error or zstandard.ZstdError, whose module may be absent
                raise DecodeError("corrupt", f"the compressed data is damaged ({error})") from None
            if part:
                yield part
            finished = unpack.eof
            data = unpack.unused_data if finished else b""
            data = data or self._read(compression.slice)
        if not finished:
            raise DecodeError("truncated", "the compressed data ends too early")


def filling(chunks: Iterable[bytes]) -> Callable[[memoryview], int]:
    """As `Source.fill`, of bytes that come in pieces of any size. Raises what making them does."""
    coming, rest = iter(chunks), memoryview(b"")

    def fill(room: memoryview) -> int:
        nonlocal rest
        while not rest:
            chunk = next(coming, None)
            if chunk is None:
                return 0
            rest = memoryview(chunk)
        size = min(len(rest), len(room))
        room[:size] = rest[:size]
        rest = rest[size:]
        return size

    return fill


def head(path: Path) -> bytes:
    """The first bytes of a capture, unpacked: up to HEAD. Raises OSError, ConfigError, DecodeError."""
    source = Source(path)
    try:
        parts, size = [], 0
        for part in source.chunks():
            parts.append(part)
            size += len(part)
            if size >= HEAD:
                break
        return b"".join(parts)
    except DecodeError:
        return b"".join(parts)  # the walk will say it
    finally:
        source.close()
