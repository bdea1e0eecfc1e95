"""The rate falls to what the path carries, rises slowly, and is not moved by a few bad nodes."""

from __future__ import annotations

import pytest
from netcrier.core.master.rate import (
    CUT_MOST,
    LOSS_TOLERATED,
    RATE_LEAST,
    RATE_MOST,
    RATE_START,
    RATE_STEP,
    Rate,
    percentile_90,
)


def sent(rate: Rate, start: float, seconds: float, size: int = 1000) -> int:
    """Bytes that leave in a time, at every moment that the bucket names."""
    now, total = start, 0
    while now <= start + seconds:
        while rate.allows(now):
            rate.spend(size)
            total += size
        now = rate.next
    return total


@pytest.mark.parametrize(
    ("shares", "found"),
    [([], None), ([0.3], 0.3), ([0.0] * 9 + [1.0], 0.0), ([0.0] * 8 + [0.2, 1.0], 0.2), ([0.5, 0.1], 0.5)],
)
def test_the_90th_percentile_is_by_nearest_rank(shares: list[float], found: float | None) -> None:
    assert percentile_90(shares) == found


def test_the_bucket_gives_the_rate_and_no_more() -> None:
    rate = Rate()
    assert sent(rate, 100.0, 1.0) * 8 == pytest.approx(RATE_START, rel=0.03)


def test_what_was_not_used_is_not_saved_beyond_a_few_milliseconds() -> None:
    rate = Rate()
    rate.allows(100.0)
    burst = 0
    while rate.allows(200.0):
        rate.spend(1000)
        burst += 1000
    assert burst <= RATE_START / 8 * 0.021


def test_loss_cuts_the_rate_by_its_share() -> None:
    rate = Rate()
    rate.measured([0.04])
    assert rate.bits == RATE_START * 0.96
    assert rate.loss == pytest.approx(0.04)


def test_a_great_loss_halves_it_and_it_never_falls_below_the_least() -> None:
    rate = Rate()
    rate.measured([0.9])
    assert rate.bits == RATE_START * (1 - CUT_MOST)
    for _ in range(20):
        rate.measured([1.0])
    assert rate.bits == RATE_LEAST


def test_without_loss_it_rises_by_a_step_up_to_the_most() -> None:
    rate = Rate()
    rate.measured([0.0, LOSS_TOLERATED])
    assert rate.bits == RATE_START + RATE_STEP
    for _ in range(1000):
        rate.measured([0.0])
    assert rate.bits == RATE_MOST


def test_nothing_known_changes_nothing() -> None:
    rate = Rate()
    rate.measured([])
    assert (rate.bits, rate.loss) == (RATE_START, None)
