"""Which ways a datagram takes, from the interfaces and the configuration."""

from __future__ import annotations

import pytest
from netcrier.errors import ConfigError
from netcrier.masterd.carriers import Carrier, choose, listed
from netcrier.runtime.interfaces import Interface

LOOPBACK = Interface("lo", "127.0.0.1", None, loopback=True)
LAN = Interface("eth0", "10.0.7.1", "10.0.7.255", loopback=False)
SECOND = Interface("eth0", "10.0.7.2", "10.0.7.255", loopback=False)
PLANT = Interface("eth1", "10.9.0.1", "10.9.0.255", loopback=False)
TUNNEL = Interface("wg0", "10.8.0.1", None, loopback=False)


def test_all_broadcast_interfaces_are_taken_by_default_each_address_once() -> None:
    found = choose([LOOPBACK, LAN, SECOND, PLANT, TUNNEL], (), 12345, ())
    assert [way.address for way in found.ways] == [("10.0.7.255", 12345), ("10.9.0.255", 12345)]
    assert found.answers == ("10.0.7.1", "10.0.7.2", "10.9.0.1")


def test_the_configured_interfaces_alone_are_taken() -> None:
    found = choose([LAN, PLANT], ("eth1",), 12345, ())
    assert [way.interface for way in found.ways] == ["eth1"]


def test_listed_nodes_are_a_second_carrier() -> None:
    unicast = listed(("127.0.0.1", "127.0.0.2:999"), 12345)
    assert [way.address for way in unicast] == [("127.0.0.1", 12345), ("127.0.0.2", 999)]
    found = choose([LAN], (), 12345, unicast)
    assert [way.kind for way in found.ways] == ["broadcast", "unicast", "unicast"]


def test_without_a_broadcast_interface_nodes_answer_to_where_it_came_from() -> None:
    assert choose([LOOPBACK], ("lo",), 12345, (Carrier("unicast", "", ("127.0.0.1", 12345)),)).answers == ()


def test_a_node_that_does_not_resolve_is_said() -> None:
    with pytest.raises(ConfigError, match="is not a host or host:port"):
        listed(("127.0.0.1:port",), 12345)
