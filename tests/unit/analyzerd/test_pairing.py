"""Who is the originator, and which packets are one conversation: ICMP's pairs, flips, multicast, other protocols."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest
from netcrier.analyzerd import engine

from . import frames
from .conftest import Analyse
from .frames import ACK, CLIENT, SECOND, SERVER, SYN

PAIRS4 = [(8, 0), (13, 14), (15, 16), (17, 18), (10, 9)]
PAIRS6 = [(128, 129), (130, 131), (133, 134), (135, 136), (139, 140), (144, 145)]
MDNS, LLMNR = "224.0.0.251", "224.0.0.252"


def icmp6(source: str, target: str, kind: int, code: int = 0) -> bytes:
    return frames.ethernet(frames.ip(source, target, 58, bytes([kind, code]) + bytes(6)))


def ends(record: dict[str, Any]) -> tuple[str, int, str, int]:
    return record["id.orig_h"], record["id.orig_p"], record["id.resp_h"], record["id.resp_p"]


@pytest.mark.parametrize(("ask", "answer"), PAIRS4)
def test_an_icmp_request_and_its_answer_are_one_conversation(analyse: Analyse, ask: int, answer: int) -> None:
    (record,) = analyse([(SECOND, frames.icmp(CLIENT, SERVER, ask)), (2 * SECOND, frames.icmp(SERVER, CLIENT, answer))])
    assert ends(record) == (CLIENT, ask, SERVER, answer)
    assert (record["orig_pkts"], record["resp_pkts"], record["conn_state"]) == (1, 1, "OTH")
    assert "history" not in record


@pytest.mark.parametrize(("ask", "answer"), PAIRS6)
def test_an_icmpv6_request_and_its_answer_are_one_conversation(analyse: Analyse, ask: int, answer: int) -> None:
    (record,) = analyse([(SECOND, icmp6("fe80::1", "fe80::2", ask)), (2 * SECOND, icmp6("fe80::2", "fe80::1", answer))])
    assert ends(record) == ("fe80::1", ask, "fe80::2", answer)


@pytest.mark.parametrize("kind", [3, 4, 5, 11, 12])
def test_an_icmp_error_is_never_paired_and_keeps_its_code(analyse: Analyse, kind: int) -> None:
    sent = [(SECOND, frames.icmp(CLIENT, SERVER, kind, 1)), (2 * SECOND, frames.icmp(SERVER, CLIENT, kind, 1))]
    records = analyse(sent)
    assert sorted(ends(record) for record in records) == [(CLIENT, kind, SERVER, 1), (SERVER, kind, CLIENT, 1)]


@pytest.mark.parametrize("protocol", [2, 103, 112, 132])
def test_another_protocol_has_its_number_and_no_ports(analyse: Analyse, protocol: int) -> None:
    there, back = (frames.ip(a, b, protocol, bytes(20)) for a, b in ((CLIENT, SERVER), (SERVER, CLIENT)))
    (record,) = analyse([(SECOND, frames.ethernet(there)), (2 * SECOND, frames.ethernet(back))])
    assert ends(record) == (CLIENT, 0, SERVER, 0)
    assert (record["proto"], record["ip_proto"], record["resp_pkts"]) == ("unknown_transport", protocol, 1)


@pytest.mark.parametrize(("group", "port"), [(MDNS, 5353), (LLMNR, 5355)])
def test_what_is_said_to_a_multicast_group_is_never_paired(analyse: Analyse, group: str, port: int) -> None:
    sent = [
        (SECOND, frames.udp(CLIENT, port, group, port, b"?")),
        (2 * SECOND, frames.udp(SERVER, port, group, port, b"!")),
    ]
    records = analyse(sent)
    assert sorted(ends(record) for record in records) == [(CLIENT, port, group, port), (SERVER, port, group, port)]
    assert {record["conn_state"] for record in records} == {"S0"}


FLIPS: dict[str, tuple[bytes, bool]] = {
    "a UDP answer from a server's port": (frames.udp(SERVER, 53, CLIENT, 4000, b"x"), True),
    "UDP between servers' ports": (frames.udp(SERVER, 53, CLIENT, 123, b"x"), False),
    "UDP to the broadcast address": (frames.udp(SERVER, 67, "255.255.255.255", 4000, b"x"), False),
    "a SYN-ACK": (frames.tcp(SERVER, 9999, CLIENT, 4000, SYN | ACK, 1, 1), True),
    "a SYN from a server's port": (frames.tcp(SERVER, 80, CLIENT, 4000, SYN, 1), False),
    "data from a server's port": (frames.tcp(SERVER, 80, CLIENT, 4000, ACK, 1, 1, b"x"), True),
    "data between servers' ports, to the higher": (frames.tcp(SERVER, 80, CLIENT, 443, ACK, 1, 1, b"x"), True),
    "data between servers' ports, to the lower": (frames.tcp(SERVER, 443, CLIENT, 80, ACK, 1, 1, b"x"), False),
    "data between other ports": (frames.tcp(SERVER, 9999, CLIENT, 4000, ACK, 1, 1, b"x"), False),
}


@pytest.mark.parametrize("name", FLIPS)
def test_the_first_packet_tells_who_is_the_originator(analyse: Analyse, name: str) -> None:
    frame, flipped = FLIPS[name]
    (record,) = analyse([(SECOND, frame)])
    assert record["id.orig_h"] == (CLIENT if flipped else SERVER)
    assert record["history"].startswith("^") is flipped


def test_a_mobile_node_is_known_by_its_home_address(analyse: Analyse) -> None:
    home = "2001:db8::77"
    option = b"\x11\2" + b"\1\2\0\0" + b"\xc9\x10" + ip_address(home).packed
    segment = frames.udp(home, 4000, "fd00::2", 9999, b"x")[54:]
    frame = frames.ethernet(frames.ip("fd00::1", "fd00::2", 60, option + segment))
    (record,) = analyse([(SECOND, frame)])
    assert (record["id.orig_h"], record["history"]) == (home, "D")


def routed(kind: int, addresses: bytes) -> bytes:
    """A frame for fd00::2 with a routing header."""
    segment = frames.udp("fd00::2", 9999, "fd00::1", 4000, b"x")[54:]
    header = bytes([17, len(addresses) // 8, kind, 1]) + bytes(4) + addresses
    return frames.ethernet(frames.ip("fd00::2", "fd00::1", 43, header + segment))


def test_packets_to_a_mobile_node_pair_with_its_own(analyse: Analyse) -> None:
    home = "2001:db8::77"
    segment = frames.udp(home, 4000, "fd00::2", 9999, b"x")[54:]
    option = b"\x11\2" + b"\1\2\0\0" + b"\xc9\x10" + ip_address(home).packed
    own = frames.ethernet(frames.ip("fd00::1", "fd00::2", 60, option + segment))
    (record,) = analyse(
        [(SECOND, own), (SECOND + 1, routed(2, ip_address(home).packed))], checksums=engine.Checksums.IGNORE
    )
    assert (record["id.orig_h"], record["orig_pkts"], record["resp_pkts"]) == (home, 1, 1)


@pytest.mark.parametrize(("kind", "addresses", "told"), [(0, 1, True), (0, 2, True), (2, 1, True), (2, 2, False)])
def test_the_last_address_of_a_route_is_where_the_packet_goes(
    analyse: Analyse, kind: int, addresses: int, told: bool
) -> None:
    last = ip_address("2001:db8::9").packed
    frame = routed(kind, bytes(16) * (addresses - 1) + last)
    (record,) = analyse([(SECOND, frame)], checksums=engine.Checksums.IGNORE)
    assert (record["id.resp_h"] == "2001:db8::9") is told


def test_a_route_of_half_an_address_is_not_believed(analyse: Analyse) -> None:
    (record,) = analyse([(SECOND, routed(0, bytes(24)))], checksums=engine.Checksums.IGNORE)
    assert record["id.resp_h"] == "fd00::1"
