"""Datagrams in fragments: put together whatever their order, and whatever carries them."""

from __future__ import annotations

import struct

import pytest
from netcrier.analyzerd import engine

from tests.layers import CLIENT6, SERVER6, fragments, in_ip
from tests.property.test_model import agree

from . import frames
from .conftest import Analyse
from .frames import CLIENT, SECOND, SERVER

DATAGRAM = frames.udp(CLIENT, 4000, SERVER, 53, bytes(range(200)))[14:]
DATAGRAM6 = frames.udp(CLIENT6, 4000, SERVER6, 53, bytes(range(200)))[14:]


def at_once(packets: list[bytes]) -> list[tuple[int, bytes]]:
    return [(SECOND + i, frames.ethernet(packet)) for i, packet in enumerate(packets)]


def part6(offset: int, more: bool, piece: bytes, following: int = 17) -> bytes:
    """A fragment of an IPv6 datagram."""
    header = struct.pack("!BBHI", following, 0, offset | more, 7)
    return frames.ip(CLIENT6, SERVER6, 44, header + piece)


def test_fragments_are_put_together_in_any_order(analyse: Analyse) -> None:
    whole = frames.udp(CLIENT, 4000, SERVER, 53, bytes(range(200)))[34:]
    parts = [(0x2000, whole[:64]), (0x2000 | 8, whole[64:128]), (16, whole[128:])]
    frames_ = [frames.ethernet(frames.ip(CLIENT, SERVER, 17, data, fragment=field)) for field, data in parts]
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0, 0), (1, 1, 0, 2)):
        records = analyse([(SECOND + i, frames_[part]) for i, part in enumerate(order)])
        assert [(r["orig_pkts"], r["orig_ip_bytes"], r["history"]) for r in records] == [(1, 228, "D")]


def test_fragments_are_put_together_where_time_has_gone_back(analyse: Analyse) -> None:
    """As in captures that were joined: an hour after the first packet comes one that is older."""
    later = [(3600 * SECOND, frames.ethernet(frames.udp(CLIENT, 4001, SERVER, 53, b"later")[14:]))]
    parts = [(SECOND + i, frames.ethernet(part)) for i, part in enumerate(fragments(DATAGRAM, 3, 1))]
    records = analyse(later + parts)
    assert sorted((r["id.orig_p"], r["orig_ip_bytes"]) for r in records) == [(4000, len(DATAGRAM)), (4001, 33)]


def test_a_datagram_of_ipv6_has_the_bytes_that_it_had_before_it_was_cut(analyse: Analyse) -> None:
    for cut in (8, 20):
        (record,) = analyse(at_once(fragments(DATAGRAM6, cut, 1)))
        assert (record["orig_pkts"], record["orig_ip_bytes"], record["id.resp_p"]) == (1, len(DATAGRAM6), 53)


def test_a_single_fragment_that_is_all_of_it_counts_without_its_header(analyse: Analyse) -> None:
    (record,) = analyse(at_once([part6(0, False, DATAGRAM6[40:])]))
    assert (record["orig_ip_bytes"], record["id.resp_p"]) == (len(DATAGRAM6), 53)


def test_headers_behind_the_fragment_header_are_walked(analyse: Analyse) -> None:
    options = bytes([17, 0]) + bytes(6)
    whole = options + DATAGRAM6[40:]
    packets = [part6(0, True, whole[:64], 60), part6(64, False, whole[64:], 60)]
    (record,) = analyse(at_once(packets))
    assert (record["proto"], record["id.resp_p"], record["orig_ip_bytes"]) == ("udp", 53, len(DATAGRAM6) + 8)


def test_what_lies_beyond_the_end_does_not_hold_it_up(analyse: Analyse) -> None:
    body = DATAGRAM[20:]
    parts = [(0x2000 | 50, b"stray 64"), (0x2000, body[:64]), (8, body[64:])]
    packets = [frames.ip(CLIENT, SERVER, 17, data, fragment=field) for field, data in parts]
    (record,) = analyse(at_once(packets))
    assert (record["orig_pkts"], record["orig_ip_bytes"]) == (1, len(DATAGRAM))


def test_a_fragment_of_nothing_has_nothing_whatever_fills_the_frame(analyse: Analyse) -> None:
    body = DATAGRAM[20:]
    empty = frames.ip(CLIENT, SERVER, 17, b"", fragment=0x2000) + body[:8]
    last = frames.ip(CLIENT, SERVER, 17, body[8:], fragment=1)
    packets = at_once([empty, last])
    assert analyse(packets) == [] == agree([(time, frame, len(frame), 1) for time, frame in packets])


def nested(levels: int) -> list[bytes]:
    """A datagram in two fragments, each in a tunnel's packet that is in two fragments, and so on."""
    packets = [DATAGRAM]
    for level in range(levels):
        cut = [part for packet in packets for part in fragments(packet, 2, level * 1000 + len(packets))]
        packets = [in_ip(part) for part in cut] if level < levels - 1 else cut
    return packets


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_fragments_in_fragments_are_put_together(analyse: Analyse, levels: int) -> None:
    (record,) = analyse(at_once(nested(levels)))
    assert (record["orig_pkts"], record["orig_ip_bytes"], record["id.resp_p"]) == (1, len(DATAGRAM), 53)


def chained(levels: int) -> list[bytes]:
    """Datagrams of which each, once whole, is the last fragment of the next one; in the end there is UDP."""
    udp = DATAGRAM6[40:48]
    starts = [
        frames.ip(CLIENT6, SERVER6, 44, struct.pack("!BBHIBBHI", 44, 0, 1, level, 44, 0, 8, level + 1))
        for level in range(levels - 1)
    ]
    starts.append(frames.ip(CLIENT6, SERVER6, 44, struct.pack("!BBHI", 17, 0, 1, levels - 1) + udp))
    return [*starts, frames.ip(CLIENT6, SERVER6, 44, struct.pack("!BBHI", 44, 0, 8, 0) + bytes(8))]


@pytest.mark.parametrize(("levels", "found"), [(1, 1), (2, 1), (16, 1), (17, 0), (60, 0)])
def test_a_chain_of_reassemblies_is_cut_before_it_fills_the_stack(levels: int, found: int) -> None:
    kernel = engine.new_kernel()
    for packet in chained(levels):
        kernel.packet(frames.ethernet(packet), SECOND)
    seen = kernel.counters
    assert seen["conversations"] == found
    assert (seen["analysed"], seen["undecodable"]) == (levels + found, 1 - found)
