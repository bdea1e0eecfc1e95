"""Which interfaces are captured where none is named."""

from __future__ import annotations

from netcrier.analyzerd.capture.links import Choice, choose
from netcrier.runtime.netlink import Link


def test_of_a_bridge_and_its_ports_only_the_bridge_is_captured() -> None:
    known = [
        Link(1, "lo", up=True, loopback=True),
        Link(2, "eth0", up=True),
        Link(3, "br0", up=True),
        Link(4, "port1", up=True, master=3),
        Link(5, "down0", up=False),
        Link(6, "of-down", up=True, master=5),
    ]
    assert choose(known) == Choice(("eth0", "br0", "of-down"), ("port1",))


def test_a_vlan_is_left_out_where_the_link_below_is_captured() -> None:
    known = [
        Link(2, "eth0", up=True),
        Link(3, "eth0.5", up=True, parent=2),
        Link(4, "br0", up=True),
        Link(5, "port1", up=True, master=4),
        Link(6, "port1.7", up=True, parent=5),
        Link(7, "down0", up=False),
        Link(8, "down0.9", up=True, parent=7),
    ]
    assert choose(known) == Choice(("eth0", "br0", "port1.7", "down0.9"), ("eth0.5", "port1"))
