"""Groups are joined where they can be heard, left where they cannot, and tried again where the kernel refused."""

from __future__ import annotations

from netcrier.runtime.interfaces import Interface
from netcrier.runtime.membership import Membership

V4, V6 = "239.192.1.2", "ff15::1"
LAN = Interface("eth0", 2, ipv4=("10.0.7.1",), ipv6=("fe80::1",), multicast=True)
IPV6_ONLY = Interface("eth1", 3, ipv6=("fe80::1",), multicast=True)
LOOPBACK = Interface("lo", 1, ipv4=("127.0.0.1",), ipv6=("::1",), loopback=True)
PORT = Interface("veth0", 4, ipv6=("fe80::4",), multicast=True, port=True)


class Port:
    """What was asked for; `refuses` what the kernel does not do."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, int]] = []
        self.refuses: set[tuple[str, int]] = set()

    def join(self, group: str, interface: int) -> None:
        self._did("join", group, interface)

    def leave(self, group: str, interface: int) -> None:
        self._did("leave", group, interface)

    def _did(self, what: str, group: str, interface: int) -> None:
        if (group, interface) in self.refuses:
            raise OSError(105, "No buffer space available")
        self.asked.append((what, group, interface))


def test_each_family_is_joined_where_the_interface_has_it() -> None:
    port = Port()
    Membership(port).follow((V4, V6), [LOOPBACK, LAN, IPV6_ONLY, PORT])
    assert sorted(port.asked) == [("join", V4, 2), ("join", V6, 2), ("join", V6, 3)]


def test_what_has_not_changed_is_left_alone_and_what_has_gone_is_left() -> None:
    port = Port()
    membership = Membership(port)
    membership.follow((V4, V6), [LAN, IPV6_ONLY])
    port.asked.clear()
    port.refuses.add((V6, 3))  # the interface is gone: the kernel knows of no membership to leave
    membership.follow((V4, V6), [LAN])
    assert port.asked == []
    assert membership.joined == {(V4, 2), (V6, 2)}
    membership.follow(("239.192.9.9",), [LAN])
    assert sorted(port.asked) == [("join", "239.192.9.9", 2), ("leave", V4, 2), ("leave", V6, 2)]


def test_what_the_kernel_refuses_is_kept_and_tried_again() -> None:
    port = Port()
    port.refuses.add((V4, 2))
    membership = Membership(port)
    membership.follow((V4,), [LAN])
    assert list(membership.failed) == [(V4, 2)]
    port.refuses.clear()
    membership.follow((V4,), [LAN])
    assert (membership.failed, membership.joined) == ({}, {(V4, 2)})
