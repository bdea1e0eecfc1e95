"""The master's numbers: without a gap, with the digest and chain of each."""

from __future__ import annotations

from netcrier.core.master.outbox import OutLane
from netcrier.wire.beacon import LaneSpan
from netcrier.wire.envelope import NO_CHAIN, Digest, chained, digest

DIGESTS = [digest(b"%d" % number) for number in range(4)]


def chain_of(digests: list[Digest], base: Digest = NO_CHAIN) -> Digest:
    for one in digests:
        base = chained(base, one)
    return base


def lane_with(digests: list[Digest], lane: OutLane) -> OutLane:
    for one in digests:
        lane.append(one)
    return lane


def test_numbers_begin_at_one() -> None:
    lane = OutLane(0)
    assert (lane.highest, lane.span()) == (0, LaneSpan(0, 0, 0))
    lane.append(DIGESTS[0])
    assert (lane.highest, lane.span()) == (1, LaneSpan(0, 1, 1))


def test_each_number_has_its_digest_and_chain() -> None:
    lane = lane_with(DIGESTS, OutLane(1))
    assert [lane.digest_at(at) for at in range(6)] == [None, *DIGESTS, None]
    assert [lane.chain_at(at) for at in range(6)] == [*(chain_of(DIGESTS[:at]) for at in range(5)), None]


def test_a_withdrawn_number_is_free_again() -> None:
    lane = lane_with(DIGESTS[:2], OutLane(0))
    lane.withdraw()
    assert (lane.highest, lane.chain_at(2)) == (1, None)
    lane.append(DIGESTS[3])
    assert lane.chain_at(2) == chain_of([DIGESTS[0], DIGESTS[3]])


def test_a_pruned_lane_goes_on_from_the_chain_before_its_lowest() -> None:
    base = chain_of(DIGESTS[:2])
    lane = lane_with(DIGESTS[2:], OutLane(0, lowest=3, base=base))
    assert (lane.highest, lane.span()) == (4, LaneSpan(0, 4, 3))
    assert (lane.chain_at(1), lane.chain_at(2), lane.chain_at(4)) == (None, base, chain_of(DIGESTS))
    assert (lane.digest_at(2), lane.digest_at(3)) == (None, DIGESTS[2])
