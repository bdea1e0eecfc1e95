"""weird.log: each oddity under Zeek's name, said once, within bounds."""

from __future__ import annotations

import struct
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import pytest
from netcrier.analyzerd import engine

from . import frames
from .frames import ACK, CLIENT, FIN, RST, SECOND, SERVER, SYN
from .test_tcp import HANDSHAKE, Segment, play
from .test_tunnels import INSIDE_IP, gre, logs

URG = 32
UDP = frames.udp(CLIENT, 4000, SERVER, 9999, b"data")


def spoiled(frame: bytes) -> bytes:
    """With its last byte changed."""
    return frame[:-1] + bytes([frame[-1] ^ 1])


def ip(packet: bytes) -> bytes:
    return frames.ethernet(packet)


def route(kind: int, eights: int, twice: bool = False) -> bytes:
    """A frame with a routing header of this type, with so many times 8 bytes of addresses."""
    last = bytes([17, eights, kind, 1]) + bytes(4 + 8 * eights)
    first = bytes([43]) + last[1:]
    segment = frames.udp("fd00::1", 4000, "fd00::2", 9999, b"x")[54:]
    return ip(frames.ip("fd00::1", "fd00::2", 43, (first if twice else b"") + last + segment))


def homes(*options: bytes) -> bytes:
    """A frame with these destination options."""
    data = b"".join(options)
    data += bytes(-(len(data) + 2) % 8)
    segment = frames.udp("fd00::9", 4000, "fd00::2", 9999, b"x")[54:]
    return ip(frames.ip("fd00::1", "fd00::2", 60, bytes([17, (len(data) - 6) // 8]) + data + segment))


HOME = b"\xc9\x10" + ip_address("fd00::9").packed


def mobility(proto: int) -> bytes:
    """A frame with a mobility header that something of this kind follows."""
    ends, header = ("fd00::1", "fd00::2"), bytes([proto, 1, 0, 0, 0, 0]) + bytes(10)
    pseudo = b"".join(ip_address(end).packed for end in ends) + struct.pack("!IxxxB", len(header), 135)
    return ip(frames.ip(*ends, 135, header[:4] + struct.pack("!H", frames.ones(pseudo + header)) + header[6:]))


def pppoe(size: int) -> bytes:
    """A frame with a whole datagram, of which PPPoE says that it and its type are so many bytes."""
    return bytes(12) + b"\x88\x64\x11\0\0\1" + struct.pack("!HH", size, 0x0021) + UDP[14:]


def fragment(offset: int, data: bytes, more: bool = True, ident: int = 1, dont: bool = False) -> bytes:
    field = offset // 8 | (0x2000 if more else 0) | (0x4000 if dont else 0)
    return ip(frames.ip(CLIENT, SERVER, 17, data, fragment=field, ident=ident))


TCP_CASES: dict[str, list[Segment]] = {
    "data_before_established": [("o", SYN, 100, 0, b""), ("o", ACK, 101, 0, b"early")],
    "possible_split_routing": [("o", SYN, 100, 0, b""), ("o", ACK, 101, 501, b"")],
    "SYN_seq_jump": [("o", SYN, 100, 0, b""), ("o", SYN, 900, 0, b"")],
    "bad_SYN_ack": [("o", SYN, 100, 0, b""), ("r", SYN | ACK, 500, 999, b"")],
    "simultaneous_open": [("o", SYN, 100, 0, b""), ("r", SYN, 100, 0, b"")],
    "repeated_SYN_with_ack": [("o", SYN, 100, 0, b""), ("o", SYN | ACK, 100, 1, b"")],
    "inappropriate_FIN": [("o", SYN, 100, 0, b""), ("o", FIN, 101, 0, b"")],
    "SYN_after_close": [*HANDSHAKE, ("o", FIN | ACK, 101, 501, b""), ("o", SYN, 100, 0, b"")],
    "FIN_advanced_last_seq": [*HANDSHAKE, ("o", FIN | ACK, 101, 501, b""), ("o", FIN | ACK, 150, 501, b"")],
    "SYN_after_reset": [HANDSHAKE[0], ("r", RST, 500, 101, b""), HANDSHAKE[1]],
    "data_after_reset": [*HANDSHAKE, ("o", RST, 101, 0, b""), ("o", ACK, 101, 501, b"late")],
    "TCP_christmas": [("o", SYN | RST, 100, 0, b"")],
    "baroque_SYN": [("o", SYN | URG, 100, 0, b"")],
    "SYN_with_data": [("o", SYN, 100, 0, b"data")],
    "TCP_seq_underflow_or_misorder": [*HANDSHAKE, ("o", ACK, 50, 501, b"x")],
    "TCP_ack_underflow_or_misorder": [*HANDSHAKE, ("o", ACK, 101, 400, b"")],
    "above_hole_data_without_any_acks": [*HANDSHAKE, ("o", ACK, 40000, 501, b"far")],
    "active_connection_reuse": [*HANDSHAKE, ("o", SYN, 9000, 0, b"")],
    "premature_connection_reuse": [
        *HANDSHAKE,
        ("o", FIN | ACK, 101, 501, b""),
        ("r", FIN | ACK, 501, 102, b""),
        ("o", SYN, 9000, 0, b""),
    ],
}


def acknowledging(acked: int, window: int, flags: int = ACK, seq: int = 101) -> bytes:
    """After HANDSHAKE, which gave a window of 1,024."""
    return frames.tcp(CLIENT, 4000, SERVER, 8080, flags, seq, acked, window=window)


@pytest.mark.parametrize(
    ("sent", "odd"),
    [
        (acknowledging(501, 1024), False),
        (acknowledging(701, 824), False),  # it closes as data comes
        (acknowledging(701, 823), True),  # and now its edge goes back
        (acknowledging(501, 1023), True),
        (acknowledging(501, 1023, FIN | ACK), False),  # who goes gives its buffers back
        (acknowledging(501, 0, RST | ACK), False),
        (acknowledging(501, 900, seq=50), False),  # an old segment
        (acknowledging(400, 1024), False),
    ],
)
def test_a_window_whose_edge_goes_back_is_odd(sent: bytes, odd: bool) -> None:
    rows = logs([*play(HANDSHAKE), (SECOND * 9, sent)])["weird"]
    assert ("window_recision" in [row["name"] for row in rows]) is odd


@pytest.mark.parametrize(("window", "odd"), [(1024, False), (1023, False), (1022, True)])
def test_of_a_scaled_window_the_scale_s_rounding_is_not_odd(window: int, odd: bool) -> None:
    def scaled(frame: bytes, ends: tuple[str, str]) -> bytes:
        segment = bytearray(frame[34:] + b"\3\3\7\0")
        segment[12] = 0x60
        return ip(
            frames.ip(*ends, 6, frames.with_sum(*ends, 6, bytes(segment[:16]) + bytes(2) + bytes(segment[18:]), 16))
        )

    (first, syn), (second, syn_ack), *others = play(HANDSHAKE)
    opening = [(first, scaled(syn, (CLIENT, SERVER))), (second, scaled(syn_ack, (SERVER, CLIENT)))]
    taken = acknowledging(501 + 127, window)
    rows = logs([*opening, *others, (SECOND * 9, taken)])["weird"]
    assert ("window_recision" in [row["name"] for row in rows]) is odd


@pytest.mark.parametrize(("flag", "name"), [(FIN, "FIN_storm"), (RST, "RST_storm")])
@pytest.mark.parametrize(("count", "pause", "odd"), [(1000, 1, True), (999, 1, False), (1001, SECOND, False)])
def test_a_thousand_of_them_within_a_second_of_one_another_are_a_storm(
    flag: int, name: str, count: int, pause: int, odd: bool
) -> None:
    frame = frames.tcp(CLIENT, 4000, SERVER, 8080, flag | ACK, 101, 501)
    storm = [(SECOND * 9 + i * pause, frame) for i in range(count)]
    rows = logs([*play(HANDSHAKE), *storm])["weird"]
    assert (name in [row["name"] for row in rows]) is odd


@pytest.mark.parametrize("name", TCP_CASES)
def test_a_tcp_oddity_has_zeeks_name_and_its_conversation(name: str) -> None:
    rows = logs(play(TCP_CASES[name]))
    (row,) = [row for row in rows["weird"] if row["name"] == name]
    assert row["uid"] in {conn["uid"] for conn in rows["conn"]}
    assert (row["id.orig_h"], row["id.orig_p"], row["notice"]) == (CLIENT, 4000, False)


def test_a_syn_after_data_is_marked_as_a_notice() -> None:
    rows = logs(play([("o", ACK, 101, 0, b"mid"), ("o", SYN, 100, 0, b"")], ports=(4000, 9999)))
    assert [(row["name"], row["notice"]) for row in rows["weird"]][-1] == ("SYN_after_partial", True)


Case = tuple[bytes | list[bytes], str, str | None, bool]
"""Frames, name, source, and whether addresses can be told."""

PACKETS: dict[str, Case] = {
    "cut Ethernet": (bytes(15), "truncated_ethernet_frame", "ETHERNET", False),
    "a type that is none": (bytes(12) + b"\x05\xf0" + bytes(40), "undefined_ether_type", "ETHERNET", False),
    "cut VLAN": (bytes(12) + b"\x81\0\0\1\x08", "truncated_VLAN_header", "VLAN", False),
    "three VLANs": (
        bytes(12) + b"\x81\0\0\1" * 3 + b"\x08\0" + UDP[14:],
        "triple_tagged_vlan_unsupported",
        "VLAN",
        False,
    ),
    "cut PPPoE": (bytes(12) + b"\x88\x64" + bytes(8), "truncated_pppoe_header", "PPPOE", False),
    "PPPoE around more than it says": (
        pppoe(len(UDP) - 14),
        "pppoe_extra_data_after_payload",
        "PPPOE",
        False,
    ),
    "PPPoE around less than it says": (pppoe(len(UDP) - 10), "pppoe_truncated_payload", "PPPOE", False),
    "ARP of 7 bytes": (bytes(12) + b"\x08\6\0\1\x08\0\6\4\0", "truncated_ARP", "ARP", False),
    "ARP without its last address": (
        bytes(12) + b"\x08\6\0\1\x08\0\6\4\0\1" + bytes(19),
        "truncated_ARP",
        "ARP",
        False,
    ),
    "cut MPLS": (bytes(12) + b"\x88\x47\0\0\1\x40", "truncated_link_header", "MPLS", False),
    "cut VNTag": (bytes(12) + b"\x89\x26" + bytes(6), "truncated_vntag_header", "VNTAG", False),
    "cut PBB": (bytes(12) + b"\x88\xe7" + bytes(18), "truncated_PBB_header", "PBB", False),
    "cut FabricPath": (bytes(12) + b"\x89\x03" + bytes(10), "truncated_link_header_cfp", "ETHERNET", False),
    "cut IP": (UDP[:30], "truncated_IP", "IP", False),
    "IP version 7": (UDP[:14] + b"\x75" + UDP[15:], "unknown_ip_version", "IP", False),
    "total length 0": (UDP[:16] + b"\0\0" + UDP[18:], "ip_hdr_len_zero", "IP", False),
    "longer than the frame": (UDP[:16] + b"\1\0" + UDP[18:], "truncated_IP_len", "IP", False),
    "header longer than the packet": (UDP[:16] + b"\0\x0a" + UDP[18:], "invalid_IP_header_size", "IP", False),
    "header of 16 bytes": (UDP[:14] + b"\x44" + UDP[15:], "IPv4_min_header_size", "IP", False),
    "IP checksum": (UDP[:22] + b"\x11" + UDP[23:], "bad_IP_checksum", "IP", True),
    "cut extension header": (
        ip(frames.ip("fd00::1", "fd00::2", 0, b"\x11\1" + bytes(14)))[:-4],
        "internally_truncated_header",
        "IP",
        False,
    ),
    "extension header longer than the packet": (
        ip(frames.ip("fd00::1", "fd00::2", 0, b"\x11\x20" + bytes(14))),
        "invalid_IP_header_size",
        "IP",
        False,
    ),
    "mobility checksum": (
        ip(frames.ip("fd00::1", "fd00::2", 135, b"\x3b\1\0\0\1" + bytes(11))),
        "bad_MH_checksum",
        "IP",
        True,
    ),
    "something behind mobility": (mobility(17), "mobility_piggyback", "IP", True),
    "two homes": (homes(HOME, HOME), "multiple_home_addr_opts", None, True),
    "a home of 8 bytes": (homes(b"\xc9\x08" + bytes(8)), "bad_home_addr_len", None, True),
    "route of type 0": (route(0, 2), "routing0_hdr", None, True),
    "route of type 0 of a wrong length": (route(0, 3), "odd_routing0_len", None, True),
    "route of type 2 of a wrong length": (route(2, 4), "bad_routing2_len", None, True),
    "route of another type": (route(4, 2), "unknown_routing_type", None, True),
    "two routes": (route(2, 2, twice=True), "multiple_routing_headers", None, True),
    "no next header": (ip(frames.ip("fd00::1", "fd00::2", 59, b"")), "ipv6_no_next", "IP", True),
    "TCP of 10 bytes": (ip(frames.ip(CLIENT, SERVER, 6, bytes(10))), "truncated_header", "TCP", True),
    "UDP of 4 bytes": (ip(frames.ip(CLIENT, SERVER, 17, bytes(4))), "truncated_header", "UDP", True),
    "ICMP of 4 bytes": (ip(frames.ip(CLIENT, SERVER, 1, bytes(4))), "truncated_header", "ICMP", True),
    "GRE version 3": (gre(0x0800, INSIDE_IP, 3), "unknown_gre_version", "GRE", True),
    "GRE routing": (gre(0x0800, INSIDE_IP, 0x4000), "gre_routing", "GRE", True),
    "GRE flags": (gre(0x0800, INSIDE_IP, 0x0008), "unknown_gre_flags", "GRE", True),
    "cut GRE": (ip(frames.ip(CLIENT, SERVER, 47, b"\0\0")), "truncated_GRE", "GRE", True),
    "PPTP of another type": (gre(0x0800, INSIDE_IP, 1), "egre_protocol_type", "GRE", True),
    "PPTP without IP": (
        gre(0x880B, b"\xff\3\x80\x21" + bytes(9), 0x2001, bytes(4)),
        "non_ip_packet_in_encap",
        "GRE",
        True,
    ),
    "no IP in IP": (
        ip(frames.ip(CLIENT, SERVER, 4, b"\x75" + bytes(30))),
        "invalid_inner_IP_version",
        "IPTUNNEL",
        True,
    ),
    "more than IP in IP": (
        ip(frames.ip(CLIENT, SERVER, 4, INSIDE_IP + b"!")),
        "inner_IP_payload_length_mismatch",
        "IPTUNNEL",
        True,
    ),
    "less than IP in IP": (ip(frames.ip(CLIENT, SERVER, 4, INSIDE_IP[:-1])), "truncated_inner_IP", "IPTUNNEL", True),
    "empty VXLAN": (frames.udp(CLIENT, 1, SERVER, 4789, b"\x08" + bytes(7)), "vxlan_empty_packet", "VXLAN", True),
    "empty Geneve": (frames.udp(CLIENT, 1, SERVER, 6081, bytes(8)), "geneve_empty_packet", "GENEVE", True),
    "Geneve version 1": (
        frames.udp(CLIENT, 1, SERVER, 6081, b"\x40" + bytes(30)),
        "geneve_invalid_version",
        "GENEVE",
        True,
    ),
    "cut inside": (gre(0x0800, b"\x45\0"), "truncated_IP_in_tunnel", "IP", False),
    "small fragment": (fragment(0, bytes(16)), "excessively_small_fragment", None, True),
    "large fragment": (fragment(64000, bytes(64)), "excessively_large_fragment", None, True),
    "fragment that must not be": (fragment(0, bytes(64), dont=True), "fragment_with_DF", None, True),
    "same fragment twice": ([fragment(0, bytes(64))] * 2, "fragment_overlap", None, True),
    "changed fragment": ([fragment(0, bytes(64)), fragment(0, b"x" * 64)], "fragment_inconsistency", None, True),
    "two ends": (
        [fragment(128, bytes(64), more=False), fragment(256, bytes(64), more=False)],
        "fragment_size_inconsistency",
        None,
        True,
    ),
    "two protocols": (
        [fragment(0, bytes(64)), ip(frames.ip(CLIENT, SERVER, 6, bytes(64), fragment=0x2010))],
        "fragment_protocol_inconsistency",
        None,
        True,
    ),
}


@pytest.mark.parametrize("case", PACKETS)
def test_an_odd_packet_has_zeeks_name_and_source(case: str) -> None:
    sent, name, source, told = PACKETS[case]
    packets = [sent] if isinstance(sent, bytes) else sent
    wire = 70 if case == "cut extension header" else None
    rows = logs([(SECOND + i, frame) for i, frame in enumerate(packets)], wire=wire)["weird"]
    (row,) = [row for row in rows if row["name"] == name]
    assert row.get("source") == source
    assert row["notice"] is False
    assert ("id.orig_h" in row, row.get("id.orig_p", 0)) == (told, 0)
    assert "uid" not in row


LINKS: dict[int, tuple[bytes, str]] = {
    0: (b"\2\0\0\0", "null_analyzer_failed"),
    9: (b"\xff\3\0\x21", "truncated_ppp_serial_header"),
    105: (bytes(20), "truncated_802_11_header"),
    113: (bytes(16), "truncated_Linux_SLL_header"),
    127: (b"\0\0\xff\0", "truncated_radiotap_header"),
    239: (b"\2\1" + bytes(20), "unknown_nflog_version"),
    276: (bytes(20), "truncated_Linux_SLL2_header"),
}


@pytest.mark.parametrize("link", LINKS)
def test_a_cut_link_header_is_named(link: int) -> None:
    frame, name = LINKS[link]
    assert [row["name"] for row in logs([(SECOND, frame)], link=link)["weird"]] == [name]


CHECKSUMS: dict[str, bytes] = {
    "bad_TCP_checksum": spoiled(frames.tcp(CLIENT, 4000, SERVER, 80, ACK, 1, 1, b"data")),
    "bad_UDP_checksum": spoiled(UDP),
    "bad_ICMP_checksum": spoiled(frames.icmp(CLIENT, SERVER, 8, 0, b"data")),
}


@pytest.mark.parametrize("name", CHECKSUMS)
@pytest.mark.parametrize("mode", engine.Checksums)
def test_a_wrong_checksum_is_said_once_for_a_host_unless_nobody_looks(name: str, mode: engine.Checksums) -> None:
    kernel = engine.new_kernel(checksums=mode)
    for i in range(5):
        kernel.packet(CHECKSUMS[name], SECOND * (1 + i * 700))
    lines = kernel.take("weird").splitlines()
    assert [name.encode() in line for line in lines] == ([] if mode is engine.Checksums.IGNORE else [True])


def test_the_same_is_said_again_after_ten_minutes_and_not_before() -> None:
    odd = play([("o", SYN | URG, 100, 0, b"")])[0][1]
    times: Callable[[list[int]], int] = lambda at: len(  # noqa: E731 - three uses below
        [row for row in logs([(SECOND + t * SECOND, odd) for t in at])["weird"] if row["name"] == "baroque_SYN"]
    )
    assert (times([0, 1, 599]), times([0, 601]), times([0])) == (1, 2, 1)


def test_a_length_that_contradicts_is_told() -> None:
    segment = struct.pack("!HHHH", 4000, 9999, 20, 0) + b"data"
    (row,) = logs([(SECOND, ip(frames.ip(CLIENT, SERVER, 17, segment)))])["weird"]
    assert (row["name"], row["addl"], row["source"]) == ("UDP_datagram_length_mismatch", "20 != 12", "UDP")


def test_the_type_of_a_route_is_told_where_nobody_knows_it() -> None:
    (row,) = logs([(SECOND, route(4, 2))])["weird"]
    assert (row["name"], row["addl"], row["id.resp_h"]) == ("unknown_routing_type", "4", "fd00::2")


def test_a_flood_of_oddities_stays_within_the_table() -> None:
    kernel = engine.new_kernel(most=1000)
    for i in range(70_000):
        kernel.packet(frames.udp(f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}", 1, SERVER, 6081, bytes(8)), SECOND + i)
    assert 0 < kernel.take("weird").count(b"\n") <= 70_000


def test_every_name_is_written_once_in_the_table() -> None:
    from netcrier.analyzerd.engine import kernel as compiled

    rows: list[tuple[Any, ...]] = list(compiled.ODDITIES)
    assert [row[0] for row in rows] == list(range(len(rows)))
    assert len({row[1:3] for row in rows}) == len(rows)


@pytest.mark.parametrize(
    "frame",
    [pppoe(len(UDP) - 12), mobility(59), homes(HOME), bytes(12) + b"\x08\6\0\1\x08\0\6\4\0\1" + bytes(20)],
    ids=["PPPoE", "mobility", "a home", "ARP"],
)
def test_what_is_as_it_should_be_is_not_odd(frame: bytes) -> None:
    assert logs([(SECOND, frame)])["weird"] == []
