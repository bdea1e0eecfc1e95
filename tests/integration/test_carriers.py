"""Every way to a node with real processes: multicast, IPv6 alone, two networks, a router, interfaces that change."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

from netcrier.control.types.master import MasterStatus
from netcrier_ctl.lab import Lab

from tests.links import ip, only_ipv6, second_network
from tests.site import Site, eventually


def kinds(status: MasterStatus) -> set[tuple[str, str]]:
    """(kind, interface) of the master's carriers."""
    return {(carrier.kind, carrier.interface) for carrier in status.carriers}


def received(here: Site, body: bytes, expected: int) -> None:
    """A broadcast that every node gets, once."""
    sent = here.broadcast(body)
    assert sent.expected == expected
    here.wait_received(1)


def test_ipv4_multicast_reaches_the_nodes_and_none_else(tmp_path: Path) -> None:
    with Lab(["master", "node1", "node2"]) as lab:
        here = Site(lab, tmp_path)
        here.start_master(NETCRIER_CARRIERS="multicast")
        for host in ("node1", "node2"):
            here.start_node(host)
        here.wait_enrolled()
        received(here, b"by multicast", 2)
        (carrier,) = here.master_status().carriers
        group = bytes.fromhex(here.master_status().group_id)
        assert (carrier.kind, carrier.interface) == ("multicast", "eth0")
        assert carrier.address == f"239.192.{group[0]}.{group[1]}:12345"
        joined = lab.run("node1", ["ip", "maddress", "show", "dev", "eth0"]).stdout
        assert f"239.192.{group[0]}.{group[1]}" in joined
        assert "239.192.78.67" not in joined, "who has a master leaves the meeting of all"


def test_a_link_of_ipv6_alone_needs_no_configuration(tmp_path: Path) -> None:
    hosts = ["master", "node1", "node2"]
    with Lab(hosts) as lab:
        only_ipv6(lab, hosts)
        here = Site(lab, tmp_path)
        here.start_master()
        for host in ("node1", "node2"):
            here.start_node(host)
        here.wait_enrolled()
        received(here, b"by IPv6", 2)
        assert kinds(here.master_status()) == {("multicast6", "eth0")}
        addresses = {row.address.partition("%")[0] for row in here.master.call("nodes").rows}
        assert addresses == {"fe80::2", "fe80::3"}


def test_two_interfaces_and_two_carriers_deliver_once_and_their_copies_are_no_attack(tmp_path: Path) -> None:
    hosts = ["master", "node1", "node2"]
    with Lab(hosts) as lab:
        second_network(lab, hosts)
        here = Site(lab, tmp_path)
        here.start_master(NETCRIER_CARRIERS="broadcast,multicast6")
        for host in ("node1", "node2"):
            here.start_node(host)
        here.wait_enrolled()
        assert len(here.master_status().carriers) == 4
        for number in range(20):
            here.broadcast(b"%d" % number)
        here.wait_received(20)
        for host, node in here.nodes.items():
            assert here.sequences(host) == list(range(1, 21))
            counters = node.call("status").counters
            assert counters["copy"] >= 60, counters
            assert counters.get("replayed", 0) == 0, counters


def test_an_interface_that_comes_and_goes_is_followed(tmp_path: Path) -> None:
    hosts = ["master", "node1"]
    with Lab(hosts) as lab:
        here = Site(lab, tmp_path)
        here.start_master(NETCRIER_INTERFACES="eth0,eth1=multicast")
        here.start_node("node1")
        here.wait_enrolled()
        assert kinds(here.master_status()) == {("broadcast", "eth0")}
        assert "carriers: eth1 is not up" in here.master_status().warnings
        second_network(lab, hosts)
        both = {("broadcast", "eth0"), ("multicast", "eth1")}
        eventually(lambda: kinds(here.master_status()) == both, "the new interface is taken", 5)
        for host in hosts:
            ip(lab, host, "link set eth0 down")
        eventually(lambda: kinds(here.master_status()) == {("multicast", "eth1")}, "the first is left", 5)
        received(here, b"by the second", 1)
        eventually(lambda: here.master.call("nodes").rows[0].address == "10.78.0.2", "the node is heard there")
        for host in hosts:
            ip(lab, host, "link set eth0 up", "link set eth1 down")
        eventually(lambda: kinds(here.master_status()) == {("broadcast", "eth0")}, "and back", 5)
        received(here, b"by the first", 1)
        assert here.sequences("node1") == [1, 2]


def test_another_address_of_the_master_is_followed_within_a_beacon(tmp_path: Path) -> None:
    with Lab(["master", "node1"]) as lab:
        here = Site(lab, tmp_path)
        here.start_master()
        here.start_node("node1")
        here.wait_enrolled()
        ip(lab, "master", "address del 10.77.0.1/24 dev eth0")
        ip(lab, "master", "address add 10.77.0.200/24 broadcast 10.77.0.255 dev eth0", "route add default dev eth0")
        received(here, b"from elsewhere", 1)
        assert here.sequences("node1") == [1]


def test_a_listed_node_behind_a_router_is_reached_by_unicast(tmp_path: Path) -> None:
    with Lab(["master", "router", "gate"]) as lab:
        for host, address in (("router", "10.79.0.1"), ("gate", "10.79.0.2")):
            lab.cable(host, "eth1", "br1")
            ip(lab, host, f"address add {address}/24 broadcast 10.79.0.255 dev eth1")
        assert lab.run("router", ["sysctl", "-qw", "net.ipv4.ip_forward=1"]).returncode == 0
        ip(lab, "gate", "link set eth0 down", "route add default via 10.79.0.1")
        ip(lab, "master", f"route add 10.79.0.0/24 via {lab.address('router')}")
        here = Site(lab, tmp_path)
        here.start_master(NETCRIER_NODES="10.79.0.2")
        here.start_node("gate")
        here.wait_enrolled()
        received(here, b"across the router", 1)
        (row,) = here.master.call("nodes").rows
        assert (row.via, row.address) == ("unicast", "10.79.0.2")
        assert here.sequences("gate") == [1]


NO_BROADCAST = """
table ip deaf {
    chain input {
        type filter hook input priority 0;
        meta pkttype broadcast drop
    }
}
"""


def test_a_node_that_broadcast_stops_reaching_is_served_by_unicast_until_it_is_reached_again(tmp_path: Path) -> None:
    with Lab(["master", "node1", "node2"]) as lab:
        here = Site(lab, tmp_path)
        here.start_master()
        for host in ("node1", "node2"):
            here.start_node(host)
        here.wait_enrolled()

        def shown(host: str) -> tuple[str, str]:
            (row,) = [row for row in here.master.call("nodes").rows if row.name == host]
            return row.via, row.note

        def keeps_sending(until: tuple[str, str], what: str) -> None:
            number = itertools.count()

            def sent() -> bool:
                here.broadcast(b"%s %d" % (what.encode(), next(number)))
                time.sleep(0.3)  # reports come with receipts: so many messages, so much evidence
                return shown("node2") == until

            eventually(sent, what)

        assert shown("node2") == ("broadcast", "")
        assert lab.run("node2", ["nft", "-f", "-"], text=NO_BROADCAST).returncode == 0
        keeps_sending(("unicast", "broadcast does not reach it"), "node2 is served by unicast")
        assert shown("node1") == ("broadcast", "")

        here.master.kill()
        here.master.start()
        eventually(lambda: here.master_status().nodes.here == 2, "a new boot reaches it too")
        received(here, b"after the restart", 2)
        assert shown("node2")[0] == "unicast"

        assert lab.run("node2", ["nft", "delete", "table", "ip", "deaf"]).returncode == 0
        keeps_sending(("broadcast", ""), "node2 is reached again")
        texts = [line["text"] for line in here.nodes["node2"].lines()]
        assert texts == [line["text"] for line in here.nodes["node1"].lines()]
