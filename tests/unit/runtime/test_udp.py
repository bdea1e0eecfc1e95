"""The port of both families: what is sent arrives, a port that is taken is said, a family that lacks is counted."""

from __future__ import annotations

import asyncio
import select
import socket
import struct
from collections.abc import Callable

import pytest
from netcrier.core.events import Datagram, Received
from netcrier.errors import ConfigError
from netcrier.runtime import udp
from netcrier.runtime.udp import Pump, UdpPort, clock_us


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        number: int = one.getsockname()[1]
        return number


def test_both_families_come_to_one_port() -> None:
    number = free_port()
    port = UdpPort(number, "noded")
    try:
        began = clock_us()
        port.send(b"NC four", ("127.0.0.1", number))
        port.send(b"NC six", ("::1", number))
        got = []
        for one in port.sockets:
            select.select([one], [], [], 5)
            got += list(port.receive(one))
        assert [each[:2] for each in got] == [(b"NC four", ("127.0.0.1", number)), (b"NC six", ("::1", number))]
        assert began <= got[0][2] <= got[1][2] <= clock_us(), "the kernel says when each arrived"
    finally:
        port.close()


def test_a_port_that_is_taken_in_either_family_is_said() -> None:
    number = free_port()
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other:
        other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        other.bind(("::", number))
        with pytest.raises(ConfigError, match=f"UDP port {number} is taken: another noded runs"):
            UdpPort(number, "noded")


def test_a_host_without_ipv6_sends_ipv4_and_counts_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    bound = udp._bound

    def ipv4_alone(family: socket.AddressFamily, port: int, owner: str) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        return bound(family, port, owner)

    monkeypatch.setattr(udp, "_bound", ipv4_alone)
    port = UdpPort(free_port(), "noded")
    port.send(b"x", ("::1", 9))
    with pytest.raises(OSError, match="not supported"):
        port.join("ff15::1", 1)
    port.close()
    assert (len(port.sockets), port.errors["EAFNOSUPPORT"]) == (1, 1)


@pytest.mark.parametrize("group", ["239.192.1.2", "ff15::1"])
def test_a_group_of_an_interface_that_is_not_there_is_refused(group: str) -> None:
    port = UdpPort(free_port(), "noded")
    with pytest.raises(OSError, match=r"."):
        port.join(group, 999_999)
    port.close()


def test_a_zone_says_by_which_interface_it_leaves() -> None:
    assert udp._target(("239.192.1.2%7", 9)) == (
        False, ("239.192.1.2", 9), ((socket.IPPROTO_IP, 8, struct.pack("=i8x", 7)),),
    )  # fmt: skip
    assert udp._target(("ff15::1%7", 9)) == (
        True, ("ff15::1", 9, 0, 7), ((socket.IPPROTO_IPV6, 50, bytes(16) + struct.pack("=i", 7)),),
    )  # fmt: skip
    assert udp._target(("192.0.2.1", 9)) == (False, ("192.0.2.1", 9), ())
    assert udp._target(("2001:db8::1", 9)) == (True, ("2001:db8::1", 9, 0, 0), ())


class Machine:
    """Pauses for long after each look; its timer is due 0.1 s after the first datagram."""

    def __init__(self) -> None:
        self.told: list[bytes] = []
        self.timer: float | None = None

    def receive(self, got: Received) -> None:
        self.told.append(got.data)
        self.timer = self.timer or got.now + 0.1

    def handle_timer(self, now: float, now_us: int) -> None:  # noqa: ARG002 - the shape of a machine
        self.told.append(b"timer")
        self.timer = now + 60

    def datagrams_to_send(self) -> list[Datagram]:
        return []


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


def test_what_gathers_in_a_pause_is_read_before_a_timer_is_handled() -> None:
    async def told() -> list[bytes]:
        number = free_port()
        port, machine = UdpPort(number, "noded"), Machine()
        pump = Pump(machine, port, lambda _audience: (), lambda: None, lambda: 60.0)
        try:
            for host in ("127.0.0.1", "::1"):
                port.send(b"NC first", (host, number))
            await until(lambda: len(machine.told) == 2)
            for host in ("127.0.0.1", "::1"):
                port.send(b"NC second", (host, number))
            await until(lambda: b"timer" in machine.told)
            return machine.told
        finally:
            pump.close()
            port.close()

    assert asyncio.run(told()) == [b"NC first"] * 2 + [b"NC second"] * 2 + [b"timer"]


def test_a_pump_that_is_closed_in_a_pause_reads_no_more() -> None:
    """A commit that ends after it still flushes."""

    async def faults() -> list[object]:
        number, found = free_port(), list[object]()
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: found.append(context))
        port, machine = UdpPort(number, "noded"), Machine()
        pump = Pump(machine, port, lambda _audience: (), lambda: None, lambda: 60.0)
        port.send(b"NC first", ("127.0.0.1", number))
        await until(lambda: bool(machine.told))
        pump.close()
        port.close()
        machine.timer = asyncio.get_running_loop().time() + 0.01
        pump.flush()
        await until(lambda: b"timer" in machine.told or bool(found))
        return found

    assert asyncio.run(faults()) == []
