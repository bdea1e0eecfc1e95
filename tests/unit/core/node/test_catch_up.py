"""When a node connects for its backlog."""

from __future__ import annotations

import pytest
from netcrier.core.node.catch_up import Backlog
from netcrier.core.pacing import catch_up_delay, catch_up_splay
from netcrier.wire.limits import CATCH_UP_BYTES, CATCH_UP_LAG


def backlog() -> Backlog:
    return Backlog(lambda: 0.5)


def test_a_small_lag_makes_no_connection() -> None:
    one = backlog()
    assert not one.behind(CATCH_UP_LAG - 1, 0, 10.0, now=1.0)
    assert one.timer is None


def test_many_bytes_of_few_messages_are_a_great_lag_too() -> None:
    one = backlog()
    assert not one.behind(5, CATCH_UP_BYTES - 1, 10.0, now=1.0)
    assert one.behind(5, CATCH_UP_BYTES, 10.0, now=1.0)
    assert one.timer is not None


def test_a_great_lag_connects_once_after_a_random_wait() -> None:
    one = backlog()
    assert one.behind(CATCH_UP_LAG, 0, 10.0, now=1.0)
    assert not one.behind(CATCH_UP_LAG, 0, 10.0, now=1.05), "it is planned already"
    assert one.timer == pytest.approx(1.1)
    assert not one.due(1.05)
    assert one.due(1.1)
    assert not one.behind(CATCH_UP_LAG, 0, 10.0, now=1.2), "it is open"


def test_a_lag_that_goes_away_in_time_needs_no_connection() -> None:
    one = backlog()
    one.behind(CATCH_UP_LAG, 0, 10.0, now=1.0)
    one.behind(3, 0, 10.0, now=1.05)
    assert not one.due(9.0)


def test_what_brought_nothing_is_tried_again_ever_later_and_what_helped_at_once() -> None:
    one, now = backlog(), 1.0
    waits = []
    for _ in range(8):
        assert one.behind(CATCH_UP_LAG, 0, 0.0, now)
        assert one.due(now)
        one.ended(now, progressed=False)
        start = now
        while not one.behind(CATCH_UP_LAG, 0, 0.0, now):
            now += 0.25
        waits.append(now - start)
        one.timer = None
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]
    one.behind(CATCH_UP_LAG, 0, 0.0, now)
    one.due(now)
    one.ended(now, progressed=True)
    assert one.behind(CATCH_UP_LAG, 0, 0.0, now)


@pytest.mark.parametrize(("presence", "most"), [(10.0, 0.2), (50.0, 1.0)])
def test_the_first_wait_grows_with_the_group(presence: float, most: float) -> None:
    assert catch_up_splay(presence, 0.0) == 0.0
    assert catch_up_splay(presence, 1.0) == pytest.approx(most)


def test_chance_moves_a_later_wait_by_a_quarter() -> None:
    assert [catch_up_delay(1, chance) for chance in (0.0, 0.5, 1.0)] == [0.75, 1.0, 1.25]
