"""The stream `capture`: blocks of recent packets, and of those that come, as parts of a pcapng file."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from netcrier.analyzerd.capture import pcapng_writer
from netcrier.analyzerd.capture.bpf import compile_filter
from netcrier.analyzerd.capture.recent import SECOND, packets
from netcrier.control.types.analyzer import CapturePart
from netcrier.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netcrier.analyzerd.capture.bpf import Program
    from netcrier.analyzerd.capture.recent import Block, Recent
    from netcrier.control.types.analyzer import CaptureRequest

PART = 256 << 10
"""Bytes after which a part is sent."""

WAIT = 0.25
"""Seconds that one look waits for packets; a block of the ring comes within its time-out where there are any."""

ETHERNET = 1

SNAP_MOST = 262_144
"""Bytes of a packet, at most: what tcpdump captures."""


class Following:
    """One client's stream. Not thread-safe; each call may be in another thread."""

    def __init__(self, recent: Recent, request: CaptureRequest) -> None:
        """Raises UsageError for a wrong filter or number."""
        if request.last is not None and not 0 < request.last < 1e9:
            raise UsageError("last is a number of seconds")
        if not 0 <= request.snap <= SNAP_MOST:
            raise UsageError(f"snap is 0 to {SNAP_MOST:,} bytes")
        if request.packets is not None and request.packets < 1:
            raise UsageError("packets is a number of packets, 1 at least")
        self._recent, self._request = recent, request
        self._until = None if request.follow else time.time_ns()
        self._since = None if request.last is None else time.time_ns() - int(request.last * SECOND)
        self._programs: dict[int, Program | None] = {}
        self._interfaces: dict[tuple[str, int], int] = {}
        self._program(ETHERNET)
        self._place = recent.begin(self._since)
        self._begun = False
        self._sent = 0
        self.over = False
        """Whether nothing more comes."""

    def close(self) -> None:
        """The client has left."""
        self._recent.end()

    def parts(self) -> Iterator[CapturePart]:
        """What there is now; waits a moment for it. The first part is the beginning of the file, at once."""
        if not self._begun:
            self._begun = True
            yield CapturePart(data=pcapng_writer.section(), packets=0)
        blocks, missed = self._recent.after(self._place, WAIT)
        if not blocks and self._until is not None:
            self.over = True
        held, count = bytearray(), 0
        for block in blocks:
            self._place = block.number + 1
            if self._request.interface not in (None, block.interface):
                continue
            for data in self._blocks(block):
                held += data
                count += 1
                self._sent += 1
                self.over = self._sent == self._request.packets
                if self.over or len(held) >= PART:
                    yield CapturePart(data=bytes(held), packets=count, missed=missed)
                    held, count, missed = bytearray(), 0, 0
                if self.over:
                    return
            if self._until is not None and block.last > self._until:
                self.over = True
        if held or missed:
            yield CapturePart(data=bytes(held), packets=count, missed=missed)

    def _blocks(self, block: Block) -> Iterator[bytes]:
        """pcapng for each packet that is wanted."""
        program = self._program(block.link)
        snap = self._request.snap
        for seen in packets(block):
            if self._since is not None and seen.time < self._since:
                continue
            if self._until is not None and seen.time > self._until:
                return
            if program is not None and not program.matches(seen.data, seen.wire):
                continue
            data = seen.data[:snap] if snap else seen.data
            new, number = self._interface(block)
            yield new + pcapng_writer.packet(number, seen.time, seen.wire, data)

    def _interface(self, block: Block) -> tuple[bytes, int]:
        key = (block.interface, block.link)
        number = self._interfaces.get(key)
        if number is not None:
            return b"", number
        number = self._interfaces[key] = len(self._interfaces)
        return pcapng_writer.interface(
            block.interface, _LINKTYPES.get(block.link, block.link), self._request.snap
        ), number

    def _program(self, link: int) -> Program | None:
        if not self._request.filter:
            return None
        if link not in self._programs:
            try:
                self._programs[link] = compile_filter(self._request.filter, link)
            except ConfigError as error:
                raise UsageError(str(error)) from None
        return self._programs[link]


_LINKTYPES = {12: 101}
"""Where the number in a file is another than in libpcap's memory: raw IP."""
