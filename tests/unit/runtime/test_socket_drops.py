"""Drops for want of buffer, told from those of the filter."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest
from netcrier.runtime import socket_drops
from netcrier.runtime.socket_drops import SocketDrops, udp_overflows


class Clock:
    """Counts a second at each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture
def one(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    monkeypatch.setattr(socket_drops, "time", Clock())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        yield found


@pytest.mark.parametrize(
    ("counts", "dropped", "lost", "filtered"),
    [
        ([7, 7], 500, 0, 500),
        ([7, 507], 500, 500, 0),
        ([7, 107], 500, 100, 400),
        ([7, 9000], 500, 500, 0),  # most of them another program's
        ([None, None], 500, 500, 0),
        ([7, None], 500, 500, 0),
        ([7, 3], 500, 0, 500),
    ],
)
def test_what_the_namespace_counts_is_for_want_of_buffer(
    one: socket.socket, counts: list[int | None], dropped: int, lost: int, filtered: int
) -> None:
    drops = SocketDrops(iter(counts).__next__)
    drops.saw(one, struct.pack("=I", dropped))
    assert (drops.lost, drops.filtered, drops.total) == (lost, filtered, dropped)


def test_what_was_said_to_be_lost_stays_so(one: socket.socket) -> None:
    drops = SocketDrops(iter([0, 40, 0]).__next__)
    drops.saw(one, struct.pack("=I", 50))
    assert drops.lost == 40
    drops.saw(one, struct.pack("=I", 60))
    assert (drops.lost, drops.filtered) == (40, 20)


def test_where_nothing_was_dropped_the_namespace_is_not_looked_at(one: socket.socket) -> None:
    drops = SocketDrops(iter([0]).__next__)
    assert (drops.lost, drops.filtered) == (0, 0)
    drops.saw(one, struct.pack("=I", 0))
    assert (drops.lost, drops.filtered) == (0, 0)


def test_the_namespace_counts_what_a_full_buffer_drops() -> None:
    """Ours is the only one that overflows while this runs, or another makes the count higher still."""
    before = udp_overflows()
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there,
    ):
        here.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        here.bind(("127.0.0.1", 0))
        for _ in range(50):
            there.sendto(bytes(1000), here.getsockname())
    after = udp_overflows()
    assert before is not None
    assert after is not None
    assert after - before >= 40
