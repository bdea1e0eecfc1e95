"""Which interfaces are captured where none is named."""

from __future__ import annotations

from netcrier.analyzerd.capture.links import Choice, Link, choose, links


def test_of_a_bridge_and_its_ports_only_the_bridge_is_captured() -> None:
    known = [
        Link(1, "lo", True, True, 0),
        Link(2, "eth0", True, False, 0),
        Link(3, "br0", True, False, 0),
        Link(4, "port1", True, False, 3),
        Link(5, "down0", False, False, 0),
        Link(6, "of-down", True, False, 5),
    ]
    assert choose(known) == Choice(("eth0", "br0", "of-down"), ("port1",))


def test_the_loopback_interface_is_listed() -> None:
    assert any(link.loopback and link.name == "lo" for link in links())
