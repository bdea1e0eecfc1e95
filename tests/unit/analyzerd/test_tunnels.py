"""tunnel.log and the conversations inside: every kind of tunnel, found, closed and expired."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from netcrier.analyzerd import engine

from . import frames
from .frames import CLIENT, SECOND, SERVER

Rows = dict[str, list[dict[str, Any]]]
INSIDE = frames.udp("192.168.1.1", 4000, "192.168.1.2", 9999, b"inside")
INSIDE_IP = INSIDE[14:]
INSIDE_IP6 = frames.udp("fd00::1", 4000, "fd00::2", 9999, b"inside")[14:]
HOUR = 3600 * SECOND


def logs(
    packets: list[tuple[int, bytes]],
    link: int = 1,
    most: int = 1000,
    wire: int | None = None,
    depth: int = engine.TUNNEL_DEPTH,
) -> Rows:
    """The records of every log."""
    kernel = engine.new_kernel(seed=bytes(range(24)), most=most, tunnel_depth=depth)
    for time, frame in packets:
        kernel.packet(frame, time, link=link, wire=wire)
    kernel.flush()
    return {name: [json.loads(line) for line in kernel.take(name).splitlines()] for name in engine.LOGS}


def gre(kind: int, payload: bytes, flags: int = 0, options: bytes = b"") -> bytes:
    return frames.ethernet(frames.ip(CLIENT, SERVER, 47, struct.pack("!HH", flags, kind) + options + payload))


WIRELESS = bytes([8, 2]) + bytes(22) + bytes.fromhex("aaaa030000000800") + INSIDE_IP
KINDS: dict[str, tuple[bytes, str, int]] = {
    "IP in IP": (frames.ethernet(frames.ip(CLIENT, SERVER, 4, INSIDE_IP)), "IP", 0),
    "6in4": (frames.ethernet(frames.ip(CLIENT, SERVER, 41, INSIDE_IP6)), "IP", 0),
    "GRE": (gre(0x0800, INSIDE_IP), "GRE", 0),
    "GRE with key and sequence": (gre(0x86DD, INSIDE_IP6, 0x3000, bytes(8)), "GRE", 0),
    "GRE around Ethernet": (gre(0x6558, INSIDE), "GRE", 0),
    "ERSPAN I": (gre(0x88BE, INSIDE), "GRE", 0),
    "ERSPAN II": (gre(0x88BE, bytes(8) + INSIDE, 0x1000, bytes(4)), "GRE", 0),
    "ERSPAN III": (gre(0x22EB, bytes(12) + INSIDE, 0x1000, bytes(4)), "GRE", 0),
    "ERSPAN III with a platform header": (
        gre(0x22EB, bytes(11) + b"\1" + bytes(8) + INSIDE, 0x1000, bytes(4)),
        "GRE",
        0,
    ),
    "Aruba": (gre(0x8200, WIRELESS), "GRE", 0),
    "PPTP": (gre(0x880B, b"\xff\3\0\x21" + INSIDE_IP, 0x3001, bytes(8)), "GRE", 0),
    "VXLAN": (frames.udp(CLIENT, 5000, SERVER, 4789, b"\x08\0\0\0\0\0\1\0" + INSIDE), "VXLAN", 5000),
    "Geneve": (
        frames.udp(CLIENT, 5000, SERVER, 6081, bytes.fromhex("0100655800000100") + bytes(4) + INSIDE),
        "GENEVE",
        5000,
    ),
    "GTP": (frames.udp(CLIENT, 2152, SERVER, 2152, b"\x30\xff\0\0\0\0\0\1" + INSIDE_IP), "GTPv1", 2152),
    "GTP with an extension": (
        frames.udp(CLIENT, 2152, SERVER, 2152, b"\x34\xff\0\0\0\0\0\1\0\0\0\x85\1\0\0\0" + INSIDE_IP),
        "GTPv1",
        2152,
    ),
    "Teredo": (frames.udp(CLIENT, 5000, SERVER, 3544, INSIDE_IP6), "TEREDO", 5000),
    "Teredo with origin and authentication": (
        frames.udp(CLIENT, 5000, SERVER, 3544, b"\0\1\0\0" + bytes(9) + bytes(8) + INSIDE_IP6),
        "TEREDO",
        5000,
    ),
    "Teredo on another port": (frames.udp(CLIENT, 5000, SERVER, 999, bytes(8) + INSIDE_IP6), "TEREDO", 5000),
    "AYIYA": (
        frames.udp(CLIENT, 5000, SERVER, 5072, bytes.fromhex("4052112900000000") + bytes(36) + INSIDE_IP6),
        "AYIYA",
        5000,
    ),
    "GRE in UDP": (frames.udp(CLIENT, 5000, SERVER, 4754, b"\0\0\x08\0" + INSIDE_IP), "GRE", 0),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_tunnel_is_found_and_the_conversation_inside_names_it(name: str) -> None:
    frame, kind, port = KINDS[name]
    rows = logs([(SECOND, frame)])
    found = rows["tunnel"][0]
    assert (found["tunnel_type"], found["action"]) == (f"Tunnel::{kind}", "Tunnel::DISCOVER")
    assert (found["id.orig_h"], found["id.orig_p"], found["id.resp_h"]) == (CLIENT, port, SERVER)
    assert [row["action"] for row in rows["tunnel"][1:]] == (["Tunnel::CLOSE"] if port else [])
    (inner,) = [row for row in rows["conn"] if row["id.orig_h"] in ("192.168.1.1", "fd00::1")]
    assert inner["tunnel_parents"] == [found["uid"]]
    outer = [row for row in rows["conn"] if row["id.orig_h"] == CLIENT]
    if port:
        assert [row["uid"] for row in outer] == [found["uid"]]


def test_a_pair_of_addresses_is_one_tunnel_in_both_directions() -> None:
    back = frames.ethernet(
        frames.ip(SERVER, CLIENT, 4, frames.udp("192.168.1.2", 9999, "192.168.1.1", 4000, b"x")[14:])
    )
    rows = logs([(SECOND, KINDS["IP in IP"][0]), (2 * SECOND, back)])
    assert [row["action"] for row in rows["tunnel"]] == ["Tunnel::DISCOVER"]
    (inner,) = rows["conn"]
    assert (inner["orig_pkts"], inner["resp_pkts"]) == (1, 1)


def test_what_only_looks_like_a_tunnel_is_none() -> None:
    for payload in (b"\0" * 8 + INSIDE, b"\x08\0\0\0"):
        rows = logs([(SECOND, frames.udp(CLIENT, 5000, SERVER, 4789, payload))] * 2 + [(SECOND, KINDS["VXLAN"][0])])
        assert rows["tunnel"] == []
        assert len(rows["conn"]) == 1


def test_a_tunnel_in_which_nothing_began_for_an_hour_is_expired() -> None:
    other = frames.ethernet(frames.ip(CLIENT, SERVER, 4, frames.udp("192.168.1.1", 1, "192.168.1.2", 2)[14:]))
    tick = (HOUR * 2, frames.udp(CLIENT, 1, SERVER, 9))
    rows = logs([(SECOND, KINDS["IP in IP"][0]), tick, (HOUR * 2 + SECOND, other)])
    assert [row["action"] for row in rows["tunnel"]] == ["Tunnel::DISCOVER", "Tunnel::EXPIRE", "Tunnel::DISCOVER"]
    assert len({row["uid"] for row in rows["tunnel"]}) == 1


def test_a_tunnel_of_udp_that_goes_on_without_conversations_is_expired_and_not_closed() -> None:
    bare = frames.udp(CLIENT, 5000, SERVER, 4789, b"\x08\0\0\0\0\0\1\0" + bytes(12) + b"\x08\x06" + bytes(28))
    packets = [(SECOND, KINDS["VXLAN"][0])] + [(SECOND + i * 30 * SECOND, bare) for i in range(1, 130)]
    assert [row["action"] for row in logs(packets)["tunnel"]] == ["Tunnel::DISCOVER", "Tunnel::EXPIRE"]


def test_more_pairs_than_are_kept_are_each_found_and_the_oldest_expire() -> None:
    packets = []
    for i in range(6000):
        outer = frames.ip(
            f"10.1.{i // 250}.{i % 250}", SERVER, 4, frames.udp(f"10.2.{i // 250}.{i % 250}", 1, "10.3.0.1", 2)[14:]
        )
        packets.append((SECOND + i, frames.ethernet(outer)))
    actions = [row["action"] for row in logs(packets)["tunnel"]]
    assert actions.count("Tunnel::DISCOVER") == 6000
    assert actions.count("Tunnel::EXPIRE") >= 6000 - 4096


def test_an_evicted_tunnel_is_closed() -> None:
    header = b"\x08\0\0\0\0\0\1\0"
    packets = [(SECOND * (1 + i), frames.udp(CLIENT, 6000 + i, SERVER, 4789, header + INSIDE)) for i in range(50)]
    rows = logs(packets, most=4)
    actions = [row["action"] for row in rows["tunnel"]]
    assert actions.count("Tunnel::DISCOVER") == actions.count("Tunnel::CLOSE") == 50


def test_beyond_the_depth_limit_the_history_and_weird_say_so() -> None:
    packet = frames.udp(CLIENT, 5000, SERVER, 4789, b"\x08\0\0\0\0\0\1\0" + INSIDE)[14:]
    for _ in range(4):
        packet = frames.ip(CLIENT, SERVER, 4, packet)
    rows = logs([(SECOND, frames.ethernet(packet))])
    assert [row["history"] for row in rows["conn"]] == ["DX"]
    (weird,) = rows["weird"]
    assert (weird["name"], weird["source"]) == ("exceeded_tunnel_max_depth_in_tunnel", "VXLAN")
    packet = frames.ip(CLIENT, SERVER, 4, packet)
    (weird,) = logs([(SECOND, frames.ethernet(packet))])["weird"]
    assert (weird["name"], weird["source"]) == ("exceeded_tunnel_max_depth_in_tunnel", "IPTUNNEL")


@pytest.mark.parametrize("depth", [0, 1, 15, engine.TUNNEL_DEPTH_MOST])
def test_as_many_tunnels_are_followed_as_is_configured(depth: int) -> None:
    packet = INSIDE_IP
    for layer in range(depth):
        packet = frames.ip(f"10.0.{layer}.1", SERVER, 4, packet)
    rows = logs([(SECOND, frames.ethernet(packet))], depth=depth)
    assert ([row["id.orig_h"] for row in rows["conn"]], rows["weird"]) == (["192.168.1.1"], [])
    rows = logs([(SECOND, frames.ethernet(frames.ip(CLIENT, SERVER, 4, packet)))], depth=depth)
    assert (rows["conn"], rows["tunnel"]) == ([], [])
    assert [row["name"].removesuffix("_in_tunnel") for row in rows["weird"]] == ["exceeded_tunnel_max_depth"]


def test_a_depth_beyond_the_engines_is_refused() -> None:
    for depth in (-1, engine.TUNNEL_DEPTH_MOST + 1):
        with pytest.raises(ValueError, match="tunnel_depth"):
            engine.new_kernel(tunnel_depth=depth)


def test_gtp_is_never_in_gtp() -> None:
    inner = frames.udp("192.168.1.1", 2152, "192.168.1.2", 2152, b"\x30\xff\0\0\0\0\0\1" + INSIDE_IP)[14:]
    outer = frames.udp(CLIENT, 2152, SERVER, 2152, b"\x30\xff\0\0\0\0\0\1" + inner)
    assert [row["id.orig_h"] for row in logs([(SECOND, outer)])["tunnel"]] == [CLIENT, CLIENT]
