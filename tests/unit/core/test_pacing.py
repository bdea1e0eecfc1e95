"""Every delay and rate as a table of cases. Seconds."""

from __future__ import annotations

import pytest
from netcrier.core.pacing import (
    PAUSE_LEAST,
    PAUSE_MOST,
    PIECES_GATHERED,
    Budget,
    DelayMeter,
    Gathering,
    beacon_delay,
    few,
    hello_delay,
    presence_interval,
    receipt_slot,
    receipt_window,
    request_delay,
    retry_delay,
)


@pytest.mark.parametrize(
    ("nodes", "window"), [(0, 0.002), (10, 0.002), (40, 0.002), (100, 0.005), (1_000, 0.05), (10_000, 0.5)]
)
def test_the_receipt_window_grows_with_the_nodes(nodes: int, window: float) -> None:
    assert receipt_window(nodes) == pytest.approx(window)


@pytest.mark.parametrize(("nodes", "interval"), [(0, 10), (10, 10), (2_000, 10), (3_000, 15), (10_000, 50)])
def test_the_presence_interval_grows_with_the_nodes(nodes: int, interval: float) -> None:
    assert presence_interval(nodes) == pytest.approx(interval)


@pytest.mark.parametrize(
    ("sent", "delay"), [(0, 0.01), (1, 0.02), (2, 0.04), (3, 0.08), (6, 0.64), (7, 1.0), (10**6, 1.0)]
)
def test_beacons_after_a_start_come_ever_more_rarely(sent: int, delay: float) -> None:
    assert beacon_delay(sent) == pytest.approx(delay)


@pytest.mark.parametrize(("nodes", "most"), [(1, 1), (7, 1), (8, 2), (100, 25), (128, 32), (10_000, 32)])
def test_few_are_a_quarter_of_the_nodes_and_at_most_32(nodes: int, most: int) -> None:
    assert few(nodes) == most


@pytest.mark.parametrize(
    ("attempts", "chance", "delay"),
    [(0, 0.0, 0.0225), (0, 1.0, 0.0375), (1, 0.5, 0.06), (5, 0.5, 0.96), (6, 0.5, 1.0), (10**6, 1.0, 1.25)],
)
def test_requests_back_off_to_a_second(attempts: int, chance: float, delay: float) -> None:
    assert retry_delay(attempts, chance) == pytest.approx(delay)


@pytest.mark.parametrize(("chance", "delay"), [(0.0, 0.001), (1.0, 0.008)])
def test_the_first_request_waits_for_what_may_still_come(chance: float, delay: float) -> None:
    assert request_delay(chance) == pytest.approx(delay)


@pytest.mark.parametrize(
    ("attempts", "chance", "delay"),
    [(0, 0.0, 0.0), (0, 1.0, 0.05), (1, 0.5, 0.4), (5, 0.5, 6.4), (6, 0.5, 10.0), (10**6, 1.0, 15.0)],
)
def test_hellos_back_off_to_ten_seconds(attempts: int, chance: float, delay: float) -> None:
    assert hello_delay(attempts, chance) == pytest.approx(delay)


def test_slots_lie_within_the_window_and_fill_its_quarters() -> None:
    slots = [receipt_slot(number.to_bytes(16, "big"), 7, 0.5) for number in range(1000)]
    quarters = [sum(at <= slot / 0.125 < at + 1 for slot in slots) for at in range(4)]
    assert sum(quarters) == 1000
    assert min(quarters) > 200


def test_a_node_has_another_slot_for_another_number() -> None:
    assert len({receipt_slot(bytes(16), number, 1.0) for number in range(100)}) == 100


@pytest.mark.parametrize(
    ("delays", "timeout"),
    [
        ([], 0.04),
        ([0.001], 0.02),
        ([0.03] * 100, 0.06),
        ([0.01] * 96 + [0.9] * 4, 0.02),
        ([0.01] * 94 + [0.3] * 6, 0.6),
        ([5.0], 1.0),
        ([0.9] * 10 + [0.02] * 256, 0.04),
    ],
)
def test_the_timeout_is_twice_the_95th_percentile_within_bounds(delays: list[float], timeout: float) -> None:
    meter = DelayMeter()
    for delay in delays:
        meter.observe(delay)
    assert meter.timeout == pytest.approx(timeout)


def test_a_budget_holds_one_second_and_fills_with_time() -> None:
    budget = Budget(5)
    assert [budget.spend(100.0) for _ in range(6)] == [True] * 5 + [False]
    assert [budget.spend(100.2), budget.spend(100.2)] == [True, False]
    assert [budget.spend(1000.0) for _ in range(6)] == [True] * 5 + [False]


def test_a_node_waits_for_some_dozens_of_pieces_within_bounds_and_not_at_all_without() -> None:
    gathering = Gathering()
    assert gathering.pause() == 0

    def pause(pieces: int) -> float:
        for _ in range(pieces):
            gathering.piece()
        return gathering.pause()

    assert pause(PIECES_GATHERED) == pytest.approx(PAUSE_LEAST)
    assert pause(PIECES_GATHERED // 4) == pytest.approx(PAUSE_LEAST * 4)
    assert pause(PIECES_GATHERED * 2) == pytest.approx(PAUSE_LEAST * 2)
    assert pause(1) == PAUSE_MOST
    assert pause(PIECES_GATHERED * 100) == PAUSE_LEAST
    assert gathering.pause() == 0
