"""A UDP port and the pump that couples it to a pure machine: feed, drain, send, re-arm. It decides nothing."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial
from typing import Protocol

from netcrier.core.events import Address, Audience, Datagram, Received
from netcrier.errors import ConfigError
from netcrier.ids import GroupId
from netcrier.runtime.socket_drops import SocketDrops, udp_overflows
from netcrier.runtime.socket_filter import attach, for_group
from netcrier.wire.limits import DATAGRAM_MAX

_RXQ_OVFL = 40  # SO_RXQ_OVFL: the kernel's count of datagrams dropped for want of buffer, beside each datagram
_TIMESTAMPNS = 35  # SO_TIMESTAMPNS: when the kernel took a datagram in, beside it, as a struct timespec
_RCVBUFFORCE = 33  # SO_RCVBUFFORCE: a buffer over net.core.rmem_max, with CAP_NET_ADMIN
_DRAIN_MOST = 256  # datagrams taken in one turn of the event loop, so that timers and netctl get theirs
RECEIVE_BUFFER = 8 << 20
_PKTINFO, _IPV6_PKTINFO = 8, 50  # IP_PKTINFO (ip(7)), IPV6_PKTINFO (RFC 3542): by which interface a datagram leaves
_MULTICAST_ALL, _IPV6_MULTICAST_ALL = 49, 29  # IP_MULTICAST_ALL, IPV6_MULTICAST_ALL (Linux 4.20)
_ADD_MEMBERSHIP, _DROP_MEMBERSHIP = 35, 36  # IP_ADD_MEMBERSHIP and its inverse
_IPV6_ADD_MEMBERSHIP, _IPV6_DROP_MEMBERSHIP = 20, 21
_TIMESPEC = struct.Struct("=qq" if struct.calcsize("P") == 8 else "=ii")
_ANCILLARY = socket.CMSG_SPACE(4) + socket.CMSG_SPACE(_TIMESPEC.size)


class Machine(Protocol):
    """What the pump drives."""

    def receive(self, got: Received) -> None: ...
    def handle_timer(self, now: float, now_us: int) -> None: ...
    def datagrams_to_send(self) -> list[Datagram]: ...
    @property
    def timer(self) -> float | None: ...


_Target = tuple[str, int] | tuple[str, int, int, int]
_Beside = tuple[tuple[int, int, bytes], ...]


@lru_cache(maxsize=16384)  # every node of a big site, and the carriers
def _target(to: Address) -> tuple[bool, _Target, _Beside]:
    """Whether it is IPv6, the socket address, and what goes beside the datagram: its interface."""
    host, _, zone = to[0].partition("%")
    index = int(zone or 0)
    if ":" in host:
        # The scope of the socket address counts for one link's addresses alone; a wider group takes the other way.
        beside = ((socket.IPPROTO_IPV6, _IPV6_PKTINFO, bytes(16) + struct.pack("=i", index)),) if zone else ()
        return True, (host, to[1], 0, index), beside
    beside = ((socket.IPPROTO_IP, _PKTINFO, struct.pack("=i8x", index)),) if zone else ()
    return False, (host, to[1]), beside


def _source(address: _Target) -> Address:
    """The address as this program writes it: with a zone where it holds on one link alone."""
    return (f"{address[0]}%{address[3]}" if len(address) > 2 and address[3] else address[0]), address[1]


class UdpPort:
    """A UDP port of IPv4 and, where the host has it, of IPv6; never shared with another process of this namespace."""

    def __init__(self, port: int, owner: str) -> None:
        self.errors: Counter[str] = Counter()
        self._drops = SocketDrops(udp_overflows)
        self._ipv4 = _bound(socket.AF_INET, port, owner)
        try:
            self._ipv6: socket.socket | None = _bound(socket.AF_INET6, port, owner)
        except ConfigError:
            self._ipv4.close()
            raise
        except OSError:  # a kernel without IPv6, or a service manager that does not allow it
            self._ipv6 = None
        self.sockets = (self._ipv4,) if self._ipv6 is None else (self._ipv4, self._ipv6)
        self._admitted: GroupId | None = None
        for one in self.sockets:
            attach(one, for_group(None))
        # The kernel reports twice what was asked for (socket(7)).
        self.buffer = min(one.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2 for one in self.sockets)

    @property
    def drops(self) -> int:
        """Datagrams that the kernel has dropped for want of buffer."""
        return self._drops.lost

    @property
    def counters(self) -> Mapping[str, int]:
        """What the kernel has dropped, for status: for want of buffer, and what was not for this group."""
        return {"kernel drops": self._drops.lost, "filtered": self._drops.filtered}

    def admit(self, group: GroupId | None) -> None:
        """From now on only this protocol's datagrams, and of a group only its own, wake this program."""
        if group != self._admitted:
            self._admitted = group
            for one in self.sockets:
                attach(one, for_group(group))

    def receive(self, one: socket.socket) -> Iterable[tuple[bytes, Address, int]]:
        """What has arrived on one of `sockets`, at most a turn's worth: data, source, and when, in µs since 1970."""
        for _ in range(_DRAIN_MOST):
            try:
                data, ancillary, _, source = one.recvmsg(DATAGRAM_MAX + 1, _ANCILLARY)
            except BlockingIOError:
                return
            except OSError as error:  # an ICMP error for an earlier datagram
                self._failed(error)
                continue
            arrived_us = 0
            for _, kind, value in ancillary:  # all of SOL_SOCKET: nothing else was asked for
                if kind == _TIMESTAMPNS:
                    seconds, nanoseconds = _TIMESPEC.unpack(value)
                    arrived_us = seconds * 1_000_000 + nanoseconds // 1000
                elif kind == _RXQ_OVFL:
                    self._drops.saw(one, value)
            yield data, _source(source), arrived_us or clock_us()

    def send(self, data: bytes, to: Address) -> None:
        """Best effort: what cannot be sent is counted; the protocol repairs it."""
        is_ipv6, target, beside = _target(to)
        one = self._ipv6 if is_ipv6 else self._ipv4
        try:
            if one is None:
                self.errors["EAFNOSUPPORT"] += 1
            elif beside:
                one.sendmsg((data,), beside, 0, target)
            else:
                one.sendto(data, target)
        except OSError as error:
            self._failed(error)

    def join(self, group: str, interface: int) -> None:
        """Hear a multicast group on an interface, by its index. Raises OSError."""
        self._member(group, interface, _ADD_MEMBERSHIP, _IPV6_ADD_MEMBERSHIP)

    def leave(self, group: str, interface: int) -> None:
        """Undo `join`, also where the interface is gone. Raises OSError."""
        self._member(group, interface, _DROP_MEMBERSHIP, _IPV6_DROP_MEMBERSHIP)

    def close(self) -> None:
        """Give the port back."""
        for one in self.sockets:
            one.close()

    def _member(self, group: str, interface: int, ipv4: int, ipv6: int) -> None:
        if ":" not in group:
            request = socket.inet_aton(group) + struct.pack("=4xi", interface)
            self._ipv4.setsockopt(socket.IPPROTO_IP, ipv4, request)
        elif self._ipv6 is None:
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        else:
            request = socket.inet_pton(socket.AF_INET6, group) + struct.pack("=i", interface)
            self._ipv6.setsockopt(socket.IPPROTO_IPV6, ipv6, request)

    def _failed(self, error: OSError) -> None:
        self.errors[errno.errorcode.get(error.errno or 0, "?")] += 1


def _bound(family: socket.AddressFamily, port: int, owner: str) -> socket.socket:
    """A socket on this port of every address. ConfigError where the port is taken; OSError else."""
    one = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    options = one.setsockopt
    options(socket.SOL_SOCKET, _RXQ_OVFL, 1)
    options(socket.SOL_SOCKET, _TIMESTAMPNS, 1)
    try:
        options(socket.SOL_SOCKET, _RCVBUFFORCE, RECEIVE_BUFFER)
    except PermissionError:
        options(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    # A multicast group is heard where this program has joined it, not where any other has; TTL and hop limit are 1.
    if family == socket.AF_INET:
        options(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        options(socket.IPPROTO_IP, _MULTICAST_ALL, 0)
    else:
        options(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        options(socket.IPPROTO_IPV6, _IPV6_MULTICAST_ALL, 0)
    try:
        one.bind(("", port))
    except OSError as error:
        one.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"UDP port {port} is taken: another {owner} runs in this network namespace; see ss -ulpn"
            ) from None
        raise
    return one


def clock_us() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


class Pump:
    """Couples a machine and a port. `ways(audience)` are the addresses of a datagram for more than one; `settle()` is
    called after the machine has changed, to carry out its events; `pause()` gives the seconds until a socket that has
    just been read is read again."""

    def __init__(
        self,
        machine: Machine,
        port: UdpPort,
        ways: Callable[[Audience], Iterable[Address]],
        settle: Callable[[], None],
        pause: Callable[[], float] = float,
    ) -> None:
        self._machine, self._port, self._ways, self._settle = machine, port, ways, settle
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._pause = pause
        self._resumptions: dict[socket.socket, asyncio.TimerHandle] = {}
        self.sent = self.received = 0
        for one in port.sockets:
            self._loop.add_reader(one, partial(self._readable, one))
        self.flush()

    def flush(self) -> None:
        """Carry out events, do what is due, send what is to be sent, set the timer anew."""
        self._settle()
        at = self._machine.timer
        if at is not None and at <= (now := self._loop.time()):
            self._machine.handle_timer(now, clock_us())
            self._settle()
            at = self._machine.timer
        for datagram in self._machine.datagrams_to_send():
            to = datagram.to
            for address in self._ways(to) if isinstance(to, Audience) else (to,):
                self._port.send(datagram.data, address)
                self.sent += 1
        if at is not None:
            self._arm(at)

    def _arm(self, at: float) -> None:
        """Look again by then. A look that comes too early changes nothing and is cheaper than a timer for each turn."""
        if self._timer:
            if self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._look)

    def _look(self) -> None:
        """A timer is due: what has gathered is read before the machine decides."""
        self._timer = None
        for one in tuple(self._resumptions):
            self._read_on(one)
        self.flush()

    def close(self) -> None:
        """Stop; the port stays open."""
        while self._resumptions:
            self._resumptions.popitem()[1].cancel()
        for one in self._port.sockets:
            self._loop.remove_reader(one)
        if self._timer:
            self._timer.cancel()

    def _readable(self, one: socket.socket) -> None:
        self._read(one)
        self.flush()

    def _read(self, one: socket.socket) -> None:
        """Feed what is there; after it the socket may rest."""
        before = self.received
        for data, source, arrived_us in self._port.receive(one):
            self.received += 1
            self._machine.receive(Received(data, source, self._loop.time(), arrived_us))
        pause = self._pause()
        if pause and self.received - before < _DRAIN_MOST:
            self._loop.remove_reader(one)
            self._resumptions[one] = self._loop.call_later(pause, self._resume, one)

    def _read_on(self, one: socket.socket) -> None:
        """Read what has gathered; from now on what comes wakes this program."""
        self._resumptions.pop(one).cancel()
        self._loop.add_reader(one, self._readable, one)
        self._read(one)

    def _resume(self, one: socket.socket) -> None:
        self._read_on(one)
        self.flush()
