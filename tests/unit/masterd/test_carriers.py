"""Which ways a datagram takes, from the interfaces and the configuration."""

from __future__ import annotations

import pytest
from netcrier.core.events import Audience
from netcrier.errors import ConfigError
from netcrier.ids import GroupId
from netcrier.masterd.carriers import Carrier, Carriers, Wishes, choose, listed, wished
from netcrier.runtime.interfaces import Interface
from netcrier.wire.limits import ADDRESSES_MAX

GROUP = GroupId(bytes(range(1, 9)))
V4, V6 = "239.192.1.2", "ff15::4e43:102:304:506:708"
LOOPBACK = Interface("lo", 1, ipv4=("127.0.0.1",), ipv6=("::1",), loopback=True)
LAN = Interface("eth0", 2, ("10.0.7.1", "10.0.7.2"), ("10.0.7.255",), ("2001:db8::1", "fe80::1"), multicast=True)
PLANT = Interface("eth1", 3, ("10.9.0.1",), ("10.9.0.255",), multicast=True)
SIX = Interface("eth2", 4, ipv6=("fe80::4",), multicast=True)
TUNNEL = Interface("wg0", 5, ipv4=("10.8.0.1",))
PORT = Interface("veth0", 6, ipv6=("fe80::6",), multicast=True, port=True)


def chosen(
    found: list[Interface], *interfaces: str, kinds: tuple[str, ...] = (), nodes: tuple[str, ...] = ()
) -> Carriers:
    wishes = Wishes(wished(interfaces), kinds, 12345, 12346, listed(nodes, 12345))
    return choose(found, wishes, GROUP)


def test_by_default_each_interface_has_broadcast_or_else_ipv6_multicast() -> None:
    found = chosen([LOOPBACK, LAN, PLANT, SIX, TUNNEL, PORT])
    assert [str(way) for way in found.ways] == ["10.0.7.255:12345", "10.9.0.255:12345", f"[{V6}]:12345"]
    assert found.answers == ("10.0.7.1", "10.0.7.2", "10.9.0.1", "fe80::4")
    assert found.lacking == ()


def test_one_broadcast_address_on_two_interfaces_is_one_way() -> None:
    second = Interface("eth9", 9, ("10.0.7.9",), ("10.0.7.255",))
    assert [way.interface for way in chosen([LAN, second]).ways] == ["eth0"]


def test_the_configured_interfaces_alone_are_taken_with_carriers_of_their_own() -> None:
    found = chosen([LAN, PLANT, SIX], "eth1", "eth0=multicast+multicast6")
    assert [(way.kind, way.interface, way.address[0]) for way in found.ways] == [
        ("multicast", "eth0", f"{V4}%2"),
        ("multicast6", "eth0", f"{V6}%2"),
        ("broadcast", "eth1", "10.9.0.255"),
    ]


def test_the_default_carriers_can_be_chosen() -> None:
    found = chosen([LAN, PLANT], kinds=("broadcast", "multicast6"))
    assert [(way.kind, way.interface) for way in found.ways] == [
        ("broadcast", "eth0"), ("multicast6", "eth0"), ("broadcast", "eth1"),
    ]  # fmt: skip


def test_what_was_asked_for_and_cannot_be_is_said() -> None:
    found = chosen([SIX, PLANT], "eth2=broadcast", "eth1=multicast6", "eth7")
    assert found.ways == ()
    assert found.lacking == (
        "eth7 is not up",
        "eth2 cannot carry broadcast: it has no IPv4 network that can broadcast",
        "eth1 cannot carry multicast6: it has no IPv6 address, or no multicast",
    )


def test_listed_nodes_are_a_carrier_of_their_own() -> None:
    found = chosen([LAN], nodes=("127.0.0.1", "127.0.0.2:999", "[2001:db8::7]:9", "2001:db8::7"))
    assert [str(way) for way in found.ways[1:]] == [
        "127.0.0.1:12345", "127.0.0.2:999", "[2001:db8::7]:9", "[2001:db8::7]:12345",
    ]  # fmt: skip
    assert {way.kind for way in found.ways} == {"broadcast", "unicast"}


def test_each_audience_has_its_addresses() -> None:
    found = chosen([LAN, SIX], nodes=("127.0.0.1",))
    broadcast, multicast, single = ("10.0.7.255", 12345), (f"{V6}%4", 12345), ("127.0.0.1", 12345)
    assert found.addresses(Audience.ALL) == (broadcast, multicast, single)
    assert found.addresses(Audience.SHARED) == (broadcast, multicast, ("ff15:0:0:4e43:4e43::%4", 12345))
    assert found.addresses(Audience.SINGLE) == (single,)
    assert found.addresses(Audience.MASTERS) == (("10.0.7.255", 12346), (f"{V6}%4", 12346))


def test_without_a_shared_carrier_nodes_answer_to_where_it_came_from() -> None:
    assert chosen([LOOPBACK], "lo", nodes=("127.0.0.1",)).answers == ()


def test_no_more_addresses_are_listed_than_a_beacon_holds() -> None:
    many = [Interface(f"eth{n}", n, (f"10.{n}.0.1",), (f"10.{n}.0.255",)) for n in range(1, ADDRESSES_MAX + 3)]
    assert len(chosen(many).answers) == ADDRESSES_MAX


@pytest.mark.parametrize("entry", ["eth0=", "eth0=unicast", "=broadcast", "eth0=broadcast,multicast"])
def test_an_entry_that_is_none_is_said(entry: str) -> None:
    with pytest.raises(ConfigError, match="is not NAME or NAME=KIND, with one or more of broadcast, multicast"):
        wished((entry,))


@pytest.mark.parametrize("node", ["127.0.0.1:port", "[::1", "127.0.0.1:"])
def test_a_node_that_does_not_resolve_is_said(node: str) -> None:
    with pytest.raises(ConfigError, match="is not a host, host:port"):
        listed((node,), 12345)


def test_a_carrier_is_written_without_its_zone() -> None:
    assert str(Carrier("multicast6", "eth0", ("ff15::1%3", 12345))) == "[ff15::1]:12345"
