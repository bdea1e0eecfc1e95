"""Links and addresses of a lab's hosts, as a test wants them."""

from __future__ import annotations

from collections.abc import Sequence

from netcrier.wire.kinds import Kind
from netcrier_ctl.lab import Lab

DEAF = """
table inet deaf {{
    chain input {{
        type filter hook input priority 0;
        udp dport {{ 12345, 12346 }} @th,88,8 {kind} drop
    }}
}}
"""
"""The fourth byte of the payload, behind 8 of UDP's header, is the kind."""


def ip(lab: Lab, host: str, *lines: str) -> None:
    """`ip` on a host, once for each line."""
    for line in lines:
        done = lab.run(host, ["ip", *line.split()])
        assert done.returncode == 0, f"{line}: {done.stderr}"


def only_ipv6(lab: Lab, hosts: Sequence[str]) -> None:
    """Take IPv4 away; each host has an address of the link alone."""
    for number, host in enumerate(hosts, 1):
        ip(lab, host, "address flush dev eth0", f"-6 address add fe80::{number}/64 dev eth0 nodad")


def second_network(lab: Lab, hosts: Sequence[str]) -> None:
    """A network 10.78.0.0/24 beside the first, on eth1 of these hosts."""
    for number, host in enumerate(hosts, 1):
        lab.cable(host, "eth1", "br1")
        ip(lab, host, f"address add 10.78.0.{number}/24 broadcast 10.78.0.255 dev eth1")
        ip(lab, host, *(f"-6 address add fe80::{number}/64 dev eth{n} nodad" for n in (0, 1)))


def deafen(lab: Lab, host: str, kind: Kind) -> None:
    """No datagram of this kind reaches the host any more."""
    done = lab.run(host, ["nft", "-f", "-"], text=DEAF.format(kind=int(kind)))
    assert done.returncode == 0, done.stderr


def undeafen(lab: Lab, host: str) -> None:
    """Undo `deafen`."""
    assert lab.run(host, ["nft", "delete", "table", "inet", "deaf"]).returncode == 0
