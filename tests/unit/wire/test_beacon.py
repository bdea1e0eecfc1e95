"""The beacon: the clear half can be read and verified without the group key, the sealed half cannot."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from netcrier.errors import DecodeError
from netcrier.wire.beacon import Beacon, LaneSpan, Marks, decode_beacon, encode_beacon, open_marks, verify_beacon
from netcrier.wire.envelope import SIGNATURE_SIZE, SealKey, Signer, Verifier
from netcrier.wire.limits import ADDRESSES_MAX, DATAGRAM_MAX, LANES_MAX, NAME_MAX

from tests import datagrams

KEYS = {datagrams.EPOCH: datagrams.SEAL}


def encoded(beacon: Beacon = datagrams.BEACON, marks: Marks = datagrams.MARKS) -> bytes:
    return encode_beacon(beacon, marks, datagrams.SEAL, datagrams.SIGNER)


def test_a_node_without_the_key_verifies_the_clear_half_and_learns_no_more() -> None:
    data = encoded()
    verify_beacon(data, Verifier(datagrams.SIGNER.public))
    assert decode_beacon(data) == datagrams.BEACON
    assert b"lab" not in data
    with pytest.raises(DecodeError, match="unknown epoch"):
        open_marks(data, {})


def test_another_group_key_of_the_same_epoch_does_not_open_the_sealed_half() -> None:
    with pytest.raises(DecodeError, match="bad seal"):
        open_marks(encoded(), {datagrams.EPOCH: SealKey(bytes(32))})


def test_who_has_the_group_key_alone_cannot_make_a_beacon() -> None:
    forged = encode_beacon(datagrams.BEACON, datagrams.MARKS, datagrams.SEAL, Signer(bytes(32)))
    with pytest.raises(DecodeError, match="bad signature"):
        verify_beacon(forged, Verifier(datagrams.SIGNER.public))


def test_the_sealed_half_of_one_beacon_does_not_fit_another() -> None:
    one, two = encoded(), encoded(replace(datagrams.BEACON, counter=5))
    cut = len(one) - SIGNATURE_SIZE - 60
    with pytest.raises(DecodeError, match="bad seal"):
        open_marks(one[:cut] + two[cut:], KEYS)


@pytest.mark.parametrize("size", range(12, 289, 23))
def test_a_cut_beacon_is_truncated(size: int) -> None:
    with pytest.raises(DecodeError, match="truncated"):
        decode_beacon(encoded()[:size])


def test_bytes_behind_the_signature_are_refused() -> None:
    with pytest.raises(DecodeError, match="trailing"):
        decode_beacon(encoded() + b"\0")


def test_a_closed_group_says_so() -> None:
    assert not decode_beacon(encoded(replace(datagrams.BEACON, open=False))).open


def test_unknown_flags_are_left_alone() -> None:
    data = bytearray(encoded())
    data[12 + 4 + 64 + 16] |= 0x80
    assert decode_beacon(bytes(data)) == datagrams.BEACON


def test_eight_addresses_are_listed_and_nine_are_not() -> None:
    addresses = tuple(f"192.0.2.{number}" for number in range(ADDRESSES_MAX))
    full = encoded(replace(datagrams.BEACON, addresses=addresses), replace(datagrams.MARKS, group_name="g" * NAME_MAX))
    assert decode_beacon(full).addresses == addresses
    assert len(full) <= DATAGRAM_MAX
    with pytest.raises(DecodeError, match="malformed"):
        decode_beacon(encoded(replace(datagrams.BEACON, addresses=(*addresses, "192.0.2.99"))))


def test_a_beacon_of_five_lanes_is_malformed() -> None:
    lanes = tuple(LaneSpan(lane, 1, 1) for lane in range(LANES_MAX + 1))
    assert open_marks(encoded(marks=replace(datagrams.MARKS, lanes=lanes[1:])), KEYS).lanes == lanes[1:]
    with pytest.raises(DecodeError, match="malformed"):
        open_marks(encoded(marks=replace(datagrams.MARKS, lanes=lanes)), KEYS)
