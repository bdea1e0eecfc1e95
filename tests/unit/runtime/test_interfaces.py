"""The kernel's own list of interfaces, and what it makes of links and addresses."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address

import pytest
from netcrier.runtime import interfaces as module
from netcrier.runtime import netlink
from netcrier.runtime.interfaces import Interface, Watch, interfaces
from netcrier.runtime.netlink import Address, Link


def test_the_loopback_is_there_and_cannot_broadcast() -> None:
    (loopback,) = [found for found in interfaces() if "127.0.0.1" in found.ipv4]
    assert (loopback.name, loopback.broadcasts, loopback.loopback, loopback.multicast) == ("lo", (), True, False)


def test_addresses_are_put_to_their_links_and_what_is_down_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    links = [
        Link(3, "eth0", up=True, can_broadcast=True, can_multicast=True),
        Link(2, "wg0", up=True, can_multicast=True, point_to_point=True),
        Link(4, "eth1", up=False, can_broadcast=True),
    ]
    known = [
        Address(3, IPv6Address("fe80::1"), 64, None),
        Address(3, IPv6Address("2001:db8::1"), 64, None),
        Address(3, IPv6Address("2001:db8::2"), 64, None, usable=False),
        Address(3, IPv4Address("10.0.7.1"), 24, IPv4Address("10.0.7.255")),
        Address(3, IPv4Address("10.0.7.2"), 24, None),
        Address(3, IPv4Address("10.9.0.1"), 31, None),
        Address(2, IPv4Address("10.8.0.1"), 24, None),
        Address(4, IPv4Address("10.1.0.1"), 24, None),
    ]
    monkeypatch.setattr(netlink, "links", lambda: links)
    monkeypatch.setattr(netlink, "addresses", lambda: known)
    ipv4 = ("10.0.7.1", "10.0.7.2", "10.9.0.1")
    assert interfaces() == [
        Interface("wg0", 2, ipv4=("10.8.0.1",)),
        Interface("eth0", 3, ipv4, ("10.0.7.255",), ("2001:db8::1", "fe80::1"), multicast=True),
    ]


def test_many_news_at_once_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, kernel = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    monkeypatch.setattr(netlink, "listener", lambda *_groups: ours)
    monkeypatch.setattr(netlink, "receive", lambda one: one.recv(100))
    monkeypatch.setattr(module, "_SETTLE", 0.0)

    async def run() -> int:
        looked: list[bool] = []
        watch = Watch(lambda: looked.append(True))
        for _ in range(3):
            kernel.send(b"news")
        while not looked:
            await asyncio.sleep(0)
        watch.close()
        return len(looked)

    assert asyncio.run(run()) == 1
    kernel.close()
