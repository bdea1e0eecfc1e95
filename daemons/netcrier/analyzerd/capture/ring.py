"""The AF_PACKET ring, TPACKET_V3 (packet(7), packet_mmap.rst): the kernel fills blocks, the engine walks them.

A block comes when it is full or its time is over, so an idle wire costs nothing and a slow one is seen within the
time-out. Left out: filters and more than one ring for an interface.
"""

from __future__ import annotations

import mmap
import select
import socket
import sys
from contextlib import suppress
from struct import Struct

from netcrier.errors import CapabilityError, ConfigError

_SOL_PACKET = 263
_ADD_MEMBERSHIP, _RX_RING, _STATISTICS, _VERSION = 1, 5, 6, 10
_TPACKET_V3 = 2
_PROMISCUOUS = 1
_ALL_PROTOCOLS = 3
_STATUS_AT = 8
_TO_USER = 1
_FRAME_SIZE = 2048
_REQUEST = Struct("=7I")
_STATISTICS_OF = Struct("=3I")
_MEMBERSHIP = Struct("=iHH8s")

ETHERNET, RAW_IP, RADIOTAP = 1, 12, 127
LOOPBACK = 772
LINK_OF_HARDWARE = {
    1: ETHERNET,
    LOOPBACK: ETHERNET,
    803: RADIOTAP,
    65534: RAW_IP,
    512: RAW_IP,
    768: RAW_IP,
    776: RAW_IP,
}
"""ARPHRD_ numbers of linux/if_arp.h to LINKTYPE_ numbers."""

NO_RIGHT = (
    "analyzerd may not capture: it lacks CAP_NET_RAW; start it by its systemd unit, or: sudo setcap cap_net_raw+ep {}"
)


class Ring:
    """One socket and its mapped blocks, on one interface."""

    def __init__(self, interface: str, *, block_size: int, blocks: int, timeout_ms: int, promiscuous: bool) -> None:
        """Opens and binds. Raises CapabilityError, ConfigError for an interface that is not there, OSError."""
        self.interface = interface
        self.block_size = block_size
        self.blocks = blocks
        self._next = 0
        self._dropped = 0
        try:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        except PermissionError:
            raise CapabilityError(NO_RIGHT.format(sys.executable)) from None
        try:
            self._open(timeout_ms, promiscuous)
        except BaseException:
            self._socket.close()
            raise

    def _open(self, timeout_ms: int, promiscuous: bool) -> None:
        size = self.block_size * self.blocks
        self._socket.setsockopt(_SOL_PACKET, _VERSION, _TPACKET_V3)
        request = _REQUEST.pack(self.block_size, self.blocks, _FRAME_SIZE, size // _FRAME_SIZE, timeout_ms, 0, 0)
        self._socket.setsockopt(_SOL_PACKET, _RX_RING, request)
        self._map = mmap.mmap(self._socket.fileno(), size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        try:
            self._socket.bind((self.interface, _ALL_PROTOCOLS))
            if promiscuous:
                index = socket.if_nametoindex(self.interface)
                membership = _MEMBERSHIP.pack(index, _PROMISCUOUS, 0, b"")
                self._socket.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, membership)
        except OSError as error:
            self._map.close()
            raise ConfigError(f"interface {self.interface}: {error.strerror}") from error
        self._view = memoryview(self._map)
        self._words = self._view.cast("I")
        hardware = self._socket.getsockname()[3]
        self.loopback = hardware == LOOPBACK
        self.link = LINK_OF_HARDWARE.get(hardware, ETHERNET)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN | select.POLLERR)

    @property
    def memory(self) -> memoryview:
        """All blocks."""
        return self._view

    def ready(self) -> int | None:
        """Where the next filled block starts in `memory`, None where there is none. To be given back."""
        at = self._next * self.block_size
        return at if self._words[(at + _STATUS_AT) // 4] & _TO_USER else None

    def give_back(self) -> None:
        """Return the block of the last `ready` to the kernel."""
        self._words[(self._next * self.block_size + _STATUS_AT) // 4] = 0
        self._next = (self._next + 1) % self.blocks

    def wait(self, milliseconds: int) -> None:
        """Until a block is filled, or the time is over; an interface that went down does not make it spin."""
        for _, event in self._poll.poll(milliseconds):
            if event & select.POLLERR:
                with suppress(OSError):
                    self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def dropped(self) -> int:
        """Packets that found no room in the ring, since the start."""
        self._dropped += _STATISTICS_OF.unpack(self._socket.getsockopt(_SOL_PACKET, _STATISTICS, _STATISTICS_OF.size))[
            1
        ]
        return self._dropped

    def close(self) -> None:
        """No packet comes any more."""
        self._socket.close()
        self._words.release()
        self._view.release()
        self._map.close()
