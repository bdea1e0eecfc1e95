"""A bounded reader and its writer: big-endian integers, fixed and counted bytes. Nothing is read past the end.

Any misfit is a DecodeError (`truncated`, `trailing` or `malformed`), never another exception.
"""

from __future__ import annotations

from struct import Struct
from typing import Any

from netcrier.errors import DecodeError


class Reader:
    """Takes values off the front of `data`; `end()` fails unless all of it was taken."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """Bytes that are not taken."""
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        """Exactly `size` bytes."""
        end = self._at + size
        if end > len(self._data):
            raise DecodeError("truncated")
        part = self._data[self._at : end]
        self._at = end
        return part

    def uint(self, size: int) -> int:
        """A big-endian integer of `size` bytes."""
        return int.from_bytes(self.take(size), "big")

    def fields(self, layout: Struct) -> tuple[Any, ...]:
        """Several fixed fields at once: what every datagram has is read in one step."""
        end = self._at + layout.size
        if end > len(self._data):
            raise DecodeError("truncated")
        values = layout.unpack_from(self._data, self._at)
        self._at = end
        return values

    def counted(self, most: int, width: int = 1) -> bytes:
        """Bytes behind a count of `width` bytes; more than `most` is malformed."""
        size = self.uint(width)
        if size > most:
            raise DecodeError("malformed", f"{size} bytes where at most {most} go")
        return self.take(size)

    def count(self, most: int) -> int:
        """A one-byte count of items, at most `most`."""
        return at_most(self.uint(1), most)

    def text(self, most: int) -> str:
        """UTF-8 behind a one-byte count."""
        return self.utf8(at_most(self.uint(1), most))

    def utf8(self, size: int) -> str:
        """UTF-8 of `size` bytes."""
        try:
            return self.take(size).decode()
        except UnicodeDecodeError:
            raise DecodeError("malformed", "not UTF-8") from None

    def rest(self) -> bytes:
        """What is left."""
        return self.take(self.left)

    def end(self) -> None:
        """Fails unless everything was taken."""
        if self.left:
            raise DecodeError("trailing", f"{self.left} bytes")


def at_most(number: int, most: int) -> int:
    """A count of items, where it is within the limit; else `malformed`."""
    if number > most:
        raise DecodeError("malformed", f"{number} items where at most {most} go")
    return number


class Writer:
    """Puts values behind one another; `bytes(writer)` is the result. A value that does not fit is our own fault."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def put(self, data: bytes, size: int | None = None) -> Writer:
        """Fixed bytes; with `size`, of exactly that length."""
        assert size is None or len(data) == size, f"{len(data)} bytes for a field of {size}"
        self._parts.append(data)
        return self

    def uint(self, value: int, size: int) -> Writer:
        """A big-endian integer of `size` bytes."""
        self._parts.append(value.to_bytes(size, "big"))
        return self

    def fields(self, layout: Struct, *values: int | bytes) -> Writer:
        """Several fixed fields at once, the inverse of `Reader.fields`."""
        self._parts.append(layout.pack(*values))
        return self

    def counted(self, data: bytes, most: int, width: int = 1) -> Writer:
        """Bytes behind their count."""
        assert len(data) <= most, f"{len(data)} bytes where at most {most} go"
        return self.uint(len(data), width).put(data)

    def text(self, value: str, most: int) -> Writer:
        """UTF-8 behind a one-byte count."""
        return self.counted(value.encode(), most)

    def __bytes__(self) -> bytes:
        return b"".join(self._parts)
