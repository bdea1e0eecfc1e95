"""A UDP port and the pump that couples it to a pure machine: feed, drain, send, re-arm. It decides nothing."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Protocol

from netcrier.core.events import Address, Datagram, Received
from netcrier.errors import ConfigError
from netcrier.wire.limits import DATAGRAM_MAX

_RXQ_OVFL = 40  # SO_RXQ_OVFL: the kernel's count of datagrams dropped for want of buffer, beside each datagram
_RCVBUFFORCE = 33  # SO_RCVBUFFORCE: a buffer over net.core.rmem_max, with CAP_NET_ADMIN
_DRAIN_MOST = 256  # datagrams taken in one turn of the event loop, so that timers and netctl get theirs
RECEIVE_BUFFER = 8 << 20


class Machine(Protocol):
    """What the pump drives."""

    def receive(self, got: Received) -> None: ...
    def handle_timer(self, now: float, now_us: int) -> None: ...
    def datagrams_to_send(self) -> list[Datagram]: ...
    @property
    def timer(self) -> float | None: ...


class UdpPort:
    """An IPv4 UDP socket, never shared with another process of this network namespace."""

    def __init__(self, port: int, owner: str) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.drops = 0
        self.errors: Counter[str] = Counter()
        options = self.socket.setsockopt
        options(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        options(socket.SOL_SOCKET, _RXQ_OVFL, 1)
        try:
            options(socket.SOL_SOCKET, _RCVBUFFORCE, RECEIVE_BUFFER)
        except PermissionError:
            options(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        # The kernel reports twice what was asked for (socket(7)).
        self.buffer = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2
        try:
            self.socket.bind(("0.0.0.0", port))  # noqa: S104 - broadcasts arrive on every interface
        except OSError as error:
            self.socket.close()
            if error.errno == errno.EADDRINUSE:
                raise ConfigError(
                    f"UDP port {port} is taken: another {owner} runs in this network namespace; see ss -ulpn"
                ) from None
            raise

    def receive(self) -> Iterable[tuple[bytes, Address]]:
        """What has arrived, at most a turn's worth."""
        for _ in range(_DRAIN_MOST):
            try:
                data, ancillary, _, source = self.socket.recvmsg(DATAGRAM_MAX + 1, 64)
            except BlockingIOError:
                return
            except OSError as error:  # an ICMP error for an earlier datagram
                self.errors[errno.errorcode.get(error.errno or 0, "?")] += 1
                continue
            for level, kind, value in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, _RXQ_OVFL):
                    self.drops = struct.unpack("=I", value)[0]
            yield data, source

    def send(self, data: bytes, to: Address) -> None:
        """Best effort: what cannot be sent is counted; the protocol repairs it."""
        try:
            self.socket.sendto(data, to)
        except OSError as error:
            self.errors[errno.errorcode.get(error.errno or 0, "?")] += 1

    def close(self) -> None:
        """Give the port back."""
        self.socket.close()


def clock_us() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


class Pump:
    """Couples a machine and a port. `carriers()` are the addresses of a datagram for everyone; `settle()` is called
    after the machine has changed, to carry out its events."""

    def __init__(
        self, machine: Machine, port: UdpPort, carriers: Callable[[], Iterable[Address]], settle: Callable[[], None]
    ) -> None:
        self._machine, self._port, self._carriers, self._settle = machine, port, carriers, settle
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self.sent = self.received = 0
        self._loop.add_reader(port.socket, self._readable)
        self.flush()

    def flush(self) -> None:
        """Carry out events, send what is to be sent, set the timer anew."""
        self._settle()
        for datagram in self._machine.datagrams_to_send():
            for to in (datagram.to,) if datagram.to else self._carriers():
                self._port.send(datagram.data, to)
                self.sent += 1
        if self._timer:
            self._timer.cancel()
        at = self._machine.timer
        self._timer = None if at is None else self._loop.call_at(at, self._due)

    def close(self) -> None:
        """Stop; the port stays open."""
        self._loop.remove_reader(self._port.socket)
        if self._timer:
            self._timer.cancel()

    def _readable(self) -> None:
        now_us = clock_us()
        for data, source in self._port.receive():
            self.received += 1
            self._machine.receive(Received(data, source, self._loop.time(), now_us))
        self.flush()

    def _due(self) -> None:
        self._machine.handle_timer(self._loop.time(), clock_us())
        self.flush()
