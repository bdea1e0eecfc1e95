"""What the kernel says is read whole; what is no message of it is refused with a clear error."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netcrier.runtime import netlink
from netcrier.runtime.netlink import Address, Kind, Link, Message


def packed(kind: int, body: bytes, length: int | None = None) -> bytes:
    return struct.pack("=IHHII", 16 + len(body) if length is None else length, kind, 0, 1, 0) + body


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


PORT = struct.pack("=BxHiII", 0, 1, 4, 0x1003, 0) + attribute(3, b"port1\0") + attribute(10, struct.pack("=I", 3))
OWN = struct.pack("=BBBBI", socket.AF_INET, 24, 0, 0, 4) + attribute(2, bytes([192, 0, 2, 9]))


def test_the_kernel_lists_the_loopback_and_its_address() -> None:
    (loopback,) = [link for link in netlink.links() if link.loopback]
    assert (loopback.name, loopback.can_broadcast, loopback.master) == ("lo", False, 0)
    owned = [one for one in netlink.addresses() if one.index == loopback.index]
    assert Address(loopback.index, IPv4Address("127.0.0.1"), 8, None) in owned


def test_a_datagram_is_parted_into_its_messages() -> None:
    datagram = packed(Kind.NEW_LINK, PORT) + packed(Kind.DONE, bytes(4))
    assert list(netlink.messages(datagram)) == [Message(Kind.NEW_LINK, PORT), Message(Kind.DONE, bytes(4))]


def test_a_link_and_an_address_are_read_with_their_attributes() -> None:
    assert netlink.link(PORT) == Link(4, "port1", up=True, can_broadcast=True, master=3, can_multicast=True)
    assert netlink.address(OWN) == Address(4, IPv4Address("192.0.2.9"), 24, None)
    broadcast = OWN + attribute(4, bytes([192, 0, 2, 255]))
    assert netlink.address(broadcast) == Address(4, IPv4Address("192.0.2.9"), 24, IPv4Address("192.0.2.255"))


def test_an_ipv6_address_is_usable_once_it_is_known_to_be_unique() -> None:
    for flags, usable in ((0x80, True), (0x40, False), (0x08, False)):
        body = struct.pack("=BBBBI", socket.AF_INET6, 64, flags, 253, 4) + attribute(1, bytes([0xFE, 0x80] + [0] * 14))
        assert netlink.address(body) == Address(4, IPv6Address("fe80::"), 64, None, usable=usable)


def test_an_address_of_another_family_is_none() -> None:
    assert netlink.address(struct.pack("=BBBBI", socket.AF_APPLETALK, 64, 0, 0, 4) + attribute(1, bytes(16))) is None


def test_what_a_link_can_carry_is_read_from_its_flags() -> None:
    tunnel = netlink.link(struct.pack("=BxHiII", 0, 1, 7, 0x10D1, 0) + attribute(3, b"ppp0\0"))
    assert (tunnel.can_broadcast, tunnel.can_multicast, tunnel.point_to_point) == (False, True, True)


@pytest.mark.parametrize("length", [0, 15, 17, 1 << 31])
def test_a_length_that_is_not_the_messages_is_refused(length: int) -> None:
    with pytest.raises(OSError, match=f"a message claims {length} bytes; it has 16 to 16"):
        list(netlink.messages(packed(Kind.NEW_LINK, b"", length)))


def test_half_a_header_is_refused() -> None:
    with pytest.raises(OSError, match="7 bytes where a header takes 16"):
        list(netlink.messages(bytes(7)))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "a message body of 0 bytes; 16 are the least"),
        (PORT[:16] + struct.pack("=HH", 0, 3), "an attribute claims 0 bytes of 4"),
        (PORT[:16] + struct.pack("=HH", 9, 3), "an attribute claims 9 bytes of 4"),
        (PORT[:16] + attribute(10, b"\1"), "an index of 1 bytes"),
    ],
)
def test_a_link_that_is_cut_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(OSError, match=said):
        netlink.link(body)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "a message body of 0 bytes; 8 are the least"),
        (OWN[:8], "without an address"),
        (OWN[:8] + attribute(2, bytes(16)), "an IPv4 address of 16 bytes"),
        (bytes([socket.AF_INET6]) + OWN[1:8] + attribute(1, bytes(4)), "an IPv6 address of 4 bytes"),
    ],
)
def test_an_address_that_is_cut_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(OSError, match=said):
        netlink.address(body)


@given(st.binary(max_size=96))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for read in (netlink.link, netlink.address, lambda any_bytes: list(netlink.messages(any_bytes))):
        with contextlib.suppress(OSError):
            read(data)


class Told:
    """A socket that gives one datagram, from `sender`."""

    def __init__(self, sender: int, flags: int = 0) -> None:
        self.sender, self.flags = sender, flags

    def recvmsg(self, size: int) -> tuple[bytes, list[object], int, tuple[int, int]]:
        return packed(Kind.NEW_LINK, PORT)[:size], [], self.flags, (self.sender, 0)


def test_only_the_kernel_is_believed() -> None:
    assert netlink.receive(Told(0)) == [Message(Kind.NEW_LINK, PORT)]  # type: ignore[arg-type]
    assert netlink.receive(Told(os.getpid())) == []  # type: ignore[arg-type]


def test_a_datagram_that_was_cut_is_refused() -> None:
    with pytest.raises(OSError, match="more than 65536 bytes"):
        netlink.receive(Told(0, socket.MSG_TRUNC))  # type: ignore[arg-type]


def test_a_vlan_names_the_link_that_it_sits_on_and_a_veth_does_not() -> None:
    def attribute(kind: int, value: bytes) -> bytes:
        return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)

    head = struct.pack("=4xiI4x", 7, 1)
    counts = struct.pack("=16Q", *range(100, 116))
    for kind, parent in ((b"vlan\0", 3), (b"veth\0", 0)):
        body = head + attribute(3, b"x\0") + attribute(5, struct.pack("=I", 3)) + attribute(18, attribute(1, kind))
        found = netlink.link(body + attribute(23, counts))
        assert (found.parent, found.missed) == (parent, 106 + 115)
