"""What `flows` gives of the table: of all conversations that are asked for the newest, or the largest."""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from netcrier.analyzerd import engine
from netcrier.analyzerd.engine.kernel import Kernel
from netcrier.analyzerd.wanted import wanted
from netcrier.control.types.analyzer import FlowsRequest
from netcrier.errors import UsageError

from . import frames
from .frames import SECOND, SYN

HOSTS = ["10.0.0.1", "10.0.0.2", "10.0.1.1", "192.168.0.9", "fd00::1", "fd00::2", "fd01::7"]
NETWORKS = [None, "10.0.0.1", "10.0.0.0/24", "10.0.0.0/8", "0.0.0.0/0", "fd00::/64", "fd00::2", "::/0"]


def table() -> Kernel:
    """One conversation a second, each with more bytes than the one before; 10 s later one packet of every third."""
    kernel = engine.new_kernel(most=1000, seed=bytes(24))
    pairs = [(a, b) for a in HOSTS for b in HOSTS if a != b and (":" in a) == (":" in b)]
    for at, (a, b) in enumerate(pairs):
        data, port = bytes(200 - at), 1000 + at
        one = frames.tcp(a, port, b, 80, SYN, 1, data=data) if at % 2 else frames.udp(a, port, b, 53, data)
        kernel.packet(one, SECOND * 100 + at)
    for at, (a, b) in enumerate(pairs):
        if at % 3 == 0:
            kernel.packet(frames.udp(a, 1000 + at, b, 53) if at % 2 == 0 else frames.icmp(a, b, 8), SECOND * 103)
    return kernel


def asked(kernel: Kernel, request: FlowsRequest) -> tuple[list[dict[str, Any]], int]:
    lines, matching = kernel.held(request.limit, **wanted(request, SECOND * 103))
    return [json.loads(line) for line in lines.splitlines()], matching


def meets(row: dict[str, Any], request: FlowsRequest) -> bool:
    ends, ports = [ip_address(row["id.orig_h"]), ip_address(row["id.resp_h"])], [row["id.orig_p"], row["id.resp_p"]]
    inside = [
        [text is None or end in ip_network(text) for end in ends] for text in (request.host, request.orig, request.resp)
    ]
    return (
        any(inside[0]) and inside[1][0] and inside[2][1]
        and any(request.port_low <= port <= request.port_high for port in ports)
        and request.proto in (None, row["proto"])
        and (request.active is None or row["ts"] + row.get("duration", 0) >= 103 - request.active)
    )  # fmt: skip


NETWORK, PORT = st.sampled_from(NETWORKS), st.sampled_from([0, 8, 53, 80, 1000, 1010, 65535])


@settings(max_examples=300, deadline=None)
@given(
    st.builds(
        lambda low, high, **rest: FlowsRequest(port_low=min(low, high), port_high=max(low, high), **rest),
        PORT, PORT, limit=st.integers(1, 60), host=NETWORK, orig=NETWORK, resp=NETWORK,
        proto=st.sampled_from([None, "tcp", "udp", "icmp"]), active=st.sampled_from([None, 1.0, 2.5, 60.0]),
        largest=st.booleans(),
    )
)  # fmt: skip
def test_it_gives_what_a_plain_filter_gives(request_: FlowsRequest) -> None:
    kernel = table()
    every, _ = asked(kernel, FlowsRequest(limit=1000))

    def rank(row: dict[str, Any]) -> float:
        return float(row["orig_ip_bytes"] + row["resp_ip_bytes"] if request_.largest else row["ts"])

    expected = sorted((row for row in every if meets(row, request_)), key=rank, reverse=True)
    rows, matching = asked(kernel, request_)
    assert matching == len(expected)
    assert sorted(map(rank, rows), reverse=True) == [rank(row) for row in expected[: request_.limit]]
    assert {row["uid"] for row in rows} <= {row["uid"] for row in expected}


@pytest.mark.parametrize(
    "request_",
    [
        FlowsRequest(host="10.0.0"), FlowsRequest(proto="sctp"), FlowsRequest(port_low=9, port_high=8),
        FlowsRequest(port_high=65536), FlowsRequest(active=0.0), FlowsRequest(active=1e300),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_the_callers_fault(request_: FlowsRequest) -> None:
    with pytest.raises(UsageError):
        wanted(request_, SECOND)
