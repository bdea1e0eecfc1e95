"""Recent packets: kept within a budget, followed from any place, a VLAN tag put back."""

from __future__ import annotations

import struct

import pytest
from netcrier.analyzerd.capture.bpf import WHOLE, compile_filter, everything
from netcrier.analyzerd.capture.recent import SECOND, Block, Recent, packets
from netcrier.errors import ConfigError
from netcrier.runtime.socket_filter import INSTRUCTION

from . import frames
from .frames import CLIENT, SERVER

FRAME = frames.udp(CLIENT, 4000, SERVER, 53, b"data")


def block(*made: tuple[int, bytes], outgoing: bool = False, tag: int | None = None, kind: int = 0) -> bytes:
    """A TPACKET_V3 block of (seconds, frame) pairs."""
    last = made[-1][0]
    body = b""
    for number, (seconds, frame) in enumerate(made):
        size = -(-(48 + 20 + len(frame)) // 8) * 8
        following = size if number + 1 < len(made) else 0
        status = 1 | (0 if tag is None else 0x10) | (0x40 if kind else 0)
        head = struct.pack(
            "=IIIIIIHHIIHxx", following, seconds, 7, len(frame), len(frame) + 1, status, 68, 82, 0, tag or 0, kind
        )
        address = bytes(10) + bytes([4 if outgoing else 0]) + bytes(9)
        body += (head + address.rjust(20, b"\0")).ljust(48, b"\0")[:48] + address + frame
        body += bytes(size - 48 - 20 - len(frame))
    return struct.pack("=IIIIIIQIIII", 1, 48, 1, len(made), 48, 48 + len(body), 1, made[0][0], 0, last, 0) + body


def seen(data: bytes, loopback: bool = False) -> list[tuple[int, int, bytes]]:
    return [(one.time, one.wire, one.data) for one in packets(Block(0, data, "eth0", 1, loopback))]


def test_the_packets_of_a_block_are_as_they_were_on_the_wire() -> None:
    data = block((1, FRAME), (2, FRAME[:40]))
    assert seen(data) == [(SECOND + 7, len(FRAME) + 1, FRAME), (2 * SECOND + 7, 41, FRAME[:40])]


def test_a_tag_that_the_card_took_out_is_put_back() -> None:
    ((_, wire, data),) = seen(block((1, FRAME), tag=0x2005))
    assert data == FRAME[:12] + b"\x81\x00\x20\x05" + FRAME[12:]
    assert wire == len(FRAME) + 1 + 4
    ((_, _, data),) = seen(block((1, FRAME), tag=5, kind=0x88A8))
    assert data[12:16] == b"\x88\xa8\x00\x05"


def test_outgoing_copies_on_a_loopback_are_left_out_and_elsewhere_are_not() -> None:
    data = block((1, FRAME), outgoing=True)
    assert seen(data, loopback=True) == []
    assert len(seen(data)) == 1


@pytest.mark.parametrize("cut", [49, 60, 100])
def test_a_block_that_is_cut_gives_what_is_whole(cut: int) -> None:
    assert seen(block((1, FRAME))[:cut]) == []


def test_the_oldest_blocks_go_when_the_budget_is_used() -> None:
    one = block((1, FRAME))
    recent = Recent(budget=3 * len(one))
    for number in range(5):
        recent.add(block((number, FRAME)), "eth0", 1, False)
    assert recent.size == 3 * len(one)
    place = recent.begin(since=0)
    found, lost = recent.after(place, 0)
    assert ([each.last // SECOND for each in found], lost) == ([2, 3, 4], 0)


def test_a_follower_begins_at_a_time_or_now_and_is_told_what_went_by() -> None:
    recent = Recent(budget=0)
    assert not recent.wanted
    place = recent.begin(since=None)
    assert recent.wanted
    assert recent.after(place, 0) == ([], 0)
    recent.add(block((1, FRAME)), "eth0", 1, False)
    (found,), lost = recent.after(place, 0)
    assert (found.last, lost) == (SECOND, 0)
    recent.end()
    recent.add(block((2, FRAME)), "eth0", 1, False)  # nobody follows: nothing is kept
    assert recent.after(place, 0) == ([], 2)


def test_a_time_within_what_is_kept_leaves_out_older_blocks() -> None:
    recent = Recent(budget=1 << 20)
    for number in range(5):
        recent.add(block((number, FRAME)), "eth0", 1, False)
    found, _ = recent.after(recent.begin(since=3 * SECOND), 0)
    assert [each.last // SECOND for each in found] == [3, 4]


def test_a_filter_is_compiled_and_run_by_libpcap() -> None:
    program = compile_filter("udp port 53", 1)
    assert len(program.code) % INSTRUCTION.size == 0
    assert program.matches(FRAME, len(FRAME))
    assert not compile_filter("tcp", 1).matches(FRAME, len(FRAME))
    assert everything(64).matches(FRAME, len(FRAME))
    assert struct.unpack("=HBBI", everything(64).code) == (6, 0, 0, 64)
    assert compile_filter("", 1, WHOLE).matches(FRAME, len(FRAME))


def test_a_wrong_filter_is_said_in_libpcap_s_words() -> None:
    with pytest.raises(ConfigError, match=r"filter 'udp prot 53': .*syntax error"):
        compile_filter("udp prot 53", 1)


def test_without_libpcap_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from netcrier.analyzerd.capture import bpf

    monkeypatch.setattr(bpf, "NAMES", ("libabsent.so.0",))
    bpf._library.cache_clear()
    try:
        with pytest.raises(ConfigError, match=r"apt install libpcap0\.8"):
            compile_filter("udp", 1)
    finally:
        bpf._library.cache_clear()
