"""Other groups' masters are counted while they speak, as far as their beacons verify, and not without bound."""

from __future__ import annotations

from msgspec.structs import replace
from netcrier.core.master.neighbours import GONE_AFTER, Neighbours
from netcrier.wire.beacon import encode_beacon
from netcrier.wire.envelope import Signer
from netcrier.wire.limits import NEIGHBOURS_MAX

from tests import datagrams


def beacon(number: int) -> bytes:
    signer = Signer(bytes([number]) * 32)
    return encode_beacon(replace(datagrams.BEACON, signing_key=signer.public), datagrams.MARKS, datagrams.SEAL, signer)


def test_each_master_counts_once_until_it_is_silent() -> None:
    found = Neighbours()
    for at in (1.0, 2.0):
        found.heard(beacon(1), at)
    found.heard(beacon(2), 5.0)
    assert found.count(5.0) == 2
    assert found.count(2.5 + GONE_AFTER) == 1


def test_what_does_not_verify_is_not_counted() -> None:
    found = Neighbours()
    found.heard(beacon(1)[:-1] + b"\0", 1.0)
    found.heard(beacon(1)[:50], 1.0)
    assert found.count(1.0) == 0


def test_no_more_than_the_limit_are_counted() -> None:
    found = Neighbours()
    for number in range(NEIGHBOURS_MAX + 3):
        found.heard(beacon(number), number * 0.1)
    assert found.count(2.0) == NEIGHBOURS_MAX
