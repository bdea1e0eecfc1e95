"""The clear front: each misfit has its reason, and none of it can be changed under the seal."""

from __future__ import annotations

import pytest
from netcrier.errors import DecodeError
from netcrier.wire.envelope import TAG_SIZE, SealKey
from netcrier.wire.header import (
    DOWN_SIZE,
    FRONT_SIZE,
    UP_SIZE,
    UpHeader,
    front,
    open_down,
    read_front,
    read_up,
    seal_down,
    seal_up,
    up_key,
)
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import DATAGRAM_MAX

from tests import datagrams

FRONT = front(Kind.MESSAGE, datagrams.GROUP)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "truncated"),
        (b"N", "truncated"),
        (b"XC" + FRONT[2:], "bad magic"),
        (FRONT[:2], "truncated"),
        (b"NC\x02" + FRONT[3:], "bad version"),
        (FRONT[:3], "truncated"),
        (b"NC\x01\x00" + FRONT[4:], "unknown kind"),
        (b"NC\x01\x7f" + FRONT[4:], "unknown kind"),
        (FRONT[:-1], "truncated"),
        (FRONT.ljust(DATAGRAM_MAX + 1, b"\0"), "too long"),
    ],
)
def test_a_front_that_does_not_fit_has_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(DecodeError) as error:
        read_front(data)
    assert error.value.reason == reason


def test_a_datagram_of_the_greatest_size_is_read() -> None:
    assert read_front(FRONT.ljust(DATAGRAM_MAX, b"\0")).kind is Kind.MESSAGE


def test_no_datagram_beyond_the_greatest_size_is_made() -> None:
    room = DATAGRAM_MAX - len(seal_down(Kind.MESSAGE, datagrams.GROUP, 1, datagrams.SEAL, b""))
    assert len(seal_down(Kind.MESSAGE, datagrams.GROUP, 1, datagrams.SEAL, bytes(room))) == DATAGRAM_MAX
    with pytest.raises(AssertionError):
        seal_down(Kind.MESSAGE, datagrams.GROUP, 1, datagrams.SEAL, bytes(room + 1))
    header = UpHeader(Kind.REPORT, datagrams.GROUP, datagrams.NODE, 1)
    with pytest.raises(AssertionError):
        seal_up(header, datagrams.SEAL, bytes(DATAGRAM_MAX - UP_SIZE - TAG_SIZE))


def test_a_datagram_of_another_epoch_is_not_tried() -> None:
    with pytest.raises(DecodeError, match="unknown epoch"):
        open_down(datagrams.message(), {datagrams.EPOCH + 1: datagrams.SEAL})
    with pytest.raises(DecodeError, match="truncated"):
        open_down(datagrams.message()[: DOWN_SIZE - 1], {datagrams.EPOCH: datagrams.SEAL})


@pytest.mark.parametrize("at", range(FRONT_SIZE))
def test_no_byte_of_the_front_can_be_changed_under_the_seal(at: int) -> None:
    data = bytearray(datagrams.message())
    data[at] ^= 1
    with pytest.raises(DecodeError, match="bad seal"):
        open_down(bytes(data), {datagrams.EPOCH: datagrams.SEAL})


def test_the_front_of_an_upward_datagram_names_the_node_and_its_boot() -> None:
    header = read_up(datagrams.report())
    assert (header.node, header.boot) == (datagrams.NODE, datagrams.NODE_BOOT)
    with pytest.raises(DecodeError, match="truncated"):
        read_up(datagrams.report()[: UP_SIZE - 1])


def test_an_upward_key_is_for_one_kind_of_one_boot_of_each_side() -> None:
    shared, group, master, node = bytes(32), datagrams.GROUP, datagrams.HEAD.master, datagrams.NODE
    sealed = up_key(shared, Kind.REPORT, group, master, (1, 2, 3), node).seal(b"", b"text")
    others: list[SealKey] = [
        up_key(shared, Kind.REQUEST, group, master, (1, 2, 3), node),
        *(up_key(shared, Kind.REPORT, group, master, boots, node) for boots in [(9, 2, 3), (1, 9, 3), (1, 2, 9)]),
        up_key(bytes([1]) * 32, Kind.REPORT, group, master, (1, 2, 3), node),
    ]
    for other in others:
        with pytest.raises(DecodeError, match="bad seal"):
            other.open(sealed, 0)
