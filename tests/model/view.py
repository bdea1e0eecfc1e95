"""A layer of a packet: the bytes of it that were captured, and how many it has on the wire."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class View:
    """`size` is what the layer around says; the capture may have cut it short."""

    data: bytes
    size: int

    def behind(self, header: int) -> View:
        """What follows a header."""
        return View(self.data[header:], self.size - header)

    def first(self, size: int) -> View:
        """No more than so many bytes."""
        return View(self.data[:size], size)

    def two(self, at: int) -> int:
        """16 bits, big endian."""
        return int.from_bytes(self.data[at : at + 2], "big")

    def four(self, at: int) -> int:
        """32 bits, big endian."""
        return int.from_bytes(self.data[at : at + 4], "big")

    def little(self, at: int, size: int = 2) -> int:
        """Little endian."""
        return int.from_bytes(self.data[at : at + size], "little")

    def __len__(self) -> int:
        """Bytes that were captured."""
        return len(self.data)
