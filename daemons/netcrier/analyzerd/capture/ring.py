"""The AF_PACKET ring, TPACKET_V3 (packet(7), packet_mmap.rst): the kernel fills blocks, the engine walks them.

A block comes when it is full or its time is over, so an idle wire costs nothing and a slow one is seen within the
time-out. Only opening the socket needs CAP_NET_RAW; binding it does not, nor binding it again when its interface has
come back. What a filter leaves out is seen and counted by nobody.
"""

from __future__ import annotations

import mmap
import select
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from struct import Struct

from netcrier.analyzerd.capture.bpf import WHOLE, compile_filter, everything
from netcrier.errors import CapabilityError, ConfigError
from netcrier.runtime.socket_filter import attach

_SOL_PACKET = 263
_ADD_MEMBERSHIP, _RX_RING, _STATISTICS, _VERSION, _FANOUT = 1, 5, 6, 10, 18
_TPACKET_V3 = 2
_PROMISCUOUS = 1
_ALL_PROTOCOLS = 3
_STATUS_AT, _LENGTH_AT = 8, 20
_TO_USER = 1
_FRAME_SIZE = 2048
_REQUEST = Struct("=7I")
_STATISTICS_OF = Struct("=3I")
_MEMBERSHIP = Struct("=iHH8s")
_FANOUT_OF = Struct("=I")
_FANOUT_HASH, _FANOUT_DEFRAG, _FANOUT_UNIQUE = 0x0000, 0x8000, 0x2000

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


@dataclass(frozen=True, slots=True)
class RingOptions:
    """How rings are made."""

    block_size: int
    """Bytes, a power of two."""
    blocks: int
    timeout_ms: int
    promiscuous: bool = False
    filter: str = ""
    """As pcap-filter(7); empty: every packet."""
    snap: int = 0
    """Bytes of a packet that are kept; 0: all."""


class Ring:
    """One socket and its mapped blocks; of no interface until it is bound."""

    def __init__(self, options: RingOptions) -> None:
        """Raises CapabilityError, OSError."""
        self.options = options
        self.interface = ""
        self.index = 0
        """Of the interface that it is bound to."""
        self.link = ETHERNET
        self.loopback = False
        self._next = 0
        self._seen = self._dropped = 0
        try:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        except PermissionError:
            raise CapabilityError(NO_RIGHT.format(sys.executable)) from None
        self._map: mmap.mmap | None = None
        self._view = self._words = memoryview(b"")
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN | select.POLLERR)

    def bind(self, interface: str) -> None:
        """Take the packets of an interface from now on. Raises ConfigError: it is not there, or a wrong filter."""
        try:
            index = socket.if_nametoindex(interface)
            if self._map is None:
                self._make()
            hardware = _hardware(self._socket, interface)
            self.link = LINK_OF_HARDWARE.get(hardware, ETHERNET)
            self.loopback = hardware == LOOPBACK
            self._attach()
            self._socket.bind((interface, _ALL_PROTOCOLS))
            if self.options.promiscuous:
                membership = _MEMBERSHIP.pack(index, _PROMISCUOUS, 0, b"")
                self._socket.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, membership)
        except OSError as error:
            raise ConfigError(f"interface {interface}: {error.strerror or error}") from error
        self.interface, self.index = interface, index

    def share(self, group: int | None) -> int:
        """Share the interface's packets with the other rings of a group, by conversation; None begins a group.

        Fragments are put together by the kernel, so that they stay with their conversation. Raises OSError.
        """
        # Packed bytes: the number with DEFRAG in its upper half is beyond the C int that setsockopt takes.
        kind = _FANOUT_HASH | _FANOUT_DEFRAG | (_FANOUT_UNIQUE if group is None else 0)
        self._socket.setsockopt(_SOL_PACKET, _FANOUT, _FANOUT_OF.pack((group or 0) | kind << 16))
        found: int = _FANOUT_OF.unpack(self._socket.getsockopt(_SOL_PACKET, _FANOUT, _FANOUT_OF.size))[0]
        return found & 0xFFFF

    @property
    def memory(self) -> memoryview:
        """All blocks."""
        return self._view

    @property
    def block_size(self) -> int:
        """Bytes."""
        return self.options.block_size

    def ready(self) -> int | None:
        """Where the next filled block starts in `memory`, None where there is none. To be given back."""
        at = self._next * self.options.block_size
        return at if self._words[(at + _STATUS_AT) // 4] & _TO_USER else None

    def used(self, at: int) -> int:
        """Bytes of the block at `at` that the kernel has filled."""
        return min(self._words[(at + _LENGTH_AT) // 4], self.options.block_size)

    def waiting(self) -> int:
        """Filled blocks that have not been given back."""
        count, size, blocks = 0, self.options.block_size, self.options.blocks
        while count < blocks and self._words[((self._next + count) % blocks * size + _STATUS_AT) // 4] & _TO_USER:
            count += 1
        return count

    def half_full(self) -> bool:
        """Whether more than half of the blocks wait."""
        at = (self._next + self.options.blocks // 2) % self.options.blocks * self.options.block_size
        return bool(self._words[(at + _STATUS_AT) // 4] & _TO_USER)

    def give_back(self) -> None:
        """Return the block of the last `ready` to the kernel."""
        self._words[(self._next * self.options.block_size + _STATUS_AT) // 4] = 0
        self._next = (self._next + 1) % self.options.blocks

    def wait(self, milliseconds: int) -> None:
        """Until a block is filled, or the time is over; an interface that went down does not make it spin."""
        for _, event in self._poll.poll(milliseconds):
            if event & select.POLLERR:
                with suppress(OSError):
                    self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def statistics(self) -> tuple[int, int]:
        """Packets that the kernel had for this ring since the start, and those of them that found no room in it.

        The kernel forgets its count when it is asked: one thread calls this.
        """
        found = _STATISTICS_OF.unpack(self._socket.getsockopt(_SOL_PACKET, _STATISTICS, _STATISTICS_OF.size))
        self._seen += found[0]
        self._dropped += found[1]
        return self._seen, self._dropped

    def close(self) -> None:
        """No packet comes any more."""
        self._socket.close()
        self._words.release()
        self._view.release()
        if self._map is not None:
            self._map.close()

    def _make(self) -> None:
        """The blocks: 32 MiB of the kernel's memory with the defaults, so a spare socket has none."""
        options = self.options
        size = options.block_size * options.blocks
        self._socket.setsockopt(_SOL_PACKET, _VERSION, _TPACKET_V3)
        request = (options.block_size, options.blocks, _FRAME_SIZE, size // _FRAME_SIZE, options.timeout_ms, 0, 0)
        self._socket.setsockopt(_SOL_PACKET, _RX_RING, _REQUEST.pack(*request))
        self._map = mmap.mmap(self._socket.fileno(), size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self._view = memoryview(self._map)
        self._words = self._view.cast("I")

    def _attach(self) -> None:
        options = self.options
        if options.filter:
            program = compile_filter(options.filter, self.link, options.snap or WHOLE)
        elif options.snap:
            program = everything(options.snap)
        else:
            return
        attach(self._socket, program.code)


def _hardware(sock: socket.socket, interface: str) -> int:
    """The ARPHRD_ number of an interface. Raises OSError."""
    import fcntl

    request = Struct("=16sH14x8x").pack(interface.encode()[:15], 0)
    answer = fcntl.ioctl(sock.fileno(), 0x8927, request)  # SIOCGIFHWADDR: the family of the address is the kind
    return int.from_bytes(answer[16:18], sys.byteorder)
