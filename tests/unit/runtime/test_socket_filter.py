"""What the kernel lets through to a socket with the filter, on loopback, in both families."""

from __future__ import annotations

import socket

import pytest
from netcrier.ids import GroupId
from netcrier.runtime.socket_filter import attach, for_group
from netcrier.wire.kinds import Kind

GROUP = GroupId(b"ourgroup")
MARK = b"NC\x01\x02ourgroup the last"


def through(filter_of: GroupId | None, host: str, sent: list[bytes]) -> list[bytes]:
    """What of it arrives before the last one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as here, socket.socket(family, socket.SOCK_DGRAM) as there:
        here.bind((host, 0))
        here.settimeout(10)
        attach(here, for_group(None))
        attach(here, for_group(filter_of))
        for data in (*sent, MARK):
            there.sendto(data, here.getsockname())
        got = []
        while (data := here.recv(4096)) != MARK:
            got.append(data)
        return got


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_what_is_of_the_protocol_passes_where_no_group_is_known(host: str) -> None:
    ours = [b"NC", b"NC\x01\x02another!", b"NC\x09\x7fwhatever", b"NC".ljust(2000)]
    others = [b"", b"N", b"CN\x01\x02ourgroup", b"\0NC", bytes(1200)]
    assert through(None, host, ours + others) == ours


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_of_a_group_its_own_passes_and_every_beacon(host: str) -> None:
    ours = [b"NC\x01" + bytes([kind]) + GROUP + b"body" for kind in Kind]
    ours += [b"NC\x02\x7f" + GROUP, b"NC\x01" + bytes([Kind.BEACON]) + b"another!", b"NC\x01\x01"]
    others = [
        b"NC\x01\x02" + GROUP[:7],
        b"NC\x01\x02ourgrouP",
        b"NC\x01\x02Ourgroup",
        b"NC\x01\x02",
        b"XC\x01\x02" + GROUP,
    ]
    assert through(GROUP, host, ours + others) == ours
