"""What a node tells of single messages: in order, until it is heard, and bounded."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from netcrier.core.outcomes import Outcomes, Untold
from netcrier.wire.envelope import NO_CHAIN
from netcrier.wire.header import UP_SIZE
from netcrier.wire.limits import DATAGRAM_MAX, EXTRAS_MAX, HANDLED_KEPT_MAX, LANES_MAX, OUTCOMES_MAX, RESULTS_MAX
from netcrier.wire.report import LaneReport, Outcome, Report, Told, encode_report

TERMS = {0: 1, 1: 1}


def refused(sequence: int, lane: int = 0, term: int = 1) -> Untold:
    return Untold(term, Outcome(lane, sequence, Told.REFUSED, 1))


def handled(sequence: int, term: int = 1) -> Untold:
    return Untold(term, Outcome(0, sequence, Told.HANDLED, 0))


def outcomes(*kept: Untold) -> Outcomes:
    return Outcomes(kept, lambda: 0.5)


def test_the_lowest_numbers_are_listed_first_and_handlers_last() -> None:
    told = outcomes(handled(1), refused(9), refused(2, lane=1), refused(3))
    listed = [(one.lane, one.sequence, one.told) for one in told.listed(1, TERMS, 0.0)]
    assert listed == [(0, 3, Told.REFUSED), (0, 9, Told.REFUSED), (1, 2, Told.REFUSED), (0, 1, Told.HANDLED)]


def test_a_report_lists_as_many_as_it_may_and_the_next_goes_on_once_they_are_heard() -> None:
    many = [refused(number) for number in range(1, OUTCOMES_MAX + 3)]
    told = outcomes(*many)
    assert [one.sequence for one in told.listed(7, TERMS, 0.0)] == list(range(1, OUTCOMES_MAX + 1))
    assert told.heard(7, 1.0) == many[:OUTCOMES_MAX]
    assert told.timer == 1.0
    assert [one.sequence for one in told.listed(8, TERMS, 0.0)] == [OUTCOMES_MAX + 1, OUTCOMES_MAX + 2]
    assert len(told.heard(8, 1.0)) == 2
    assert len(told) == 0
    assert told.timer is None


def test_what_came_after_the_report_is_not_heard_with_it() -> None:
    told = outcomes(refused(1))
    told.listed(7, TERMS, 0.0)
    told.add([refused(2)], 0.0)
    assert told.heard(7, 0.0) == [refused(1)]
    assert told.heard(7, 0.0) == []
    assert [one.sequence for one in told.listed(8, TERMS, 0.0)] == [2]


def test_messages_of_another_term_are_not_told_to_this_one() -> None:
    told = outcomes(refused(1, term=1), refused(2, term=2))
    assert [one.sequence for one in told.listed(1, {0: 2}, 0.0)] == [2]


def test_of_a_term_that_a_lane_has_left_nothing_is_owed_and_only_results_of_handlers_are_kept() -> None:
    told = outcomes(refused(1), handled(2), refused(1, lane=1))
    assert told.owes(0, 1)
    assert told.turned(0, 2, 0.0) == [refused(1)]
    assert not told.owes(0, 1)
    assert told.add([handled(3), handled(1, term=2)], 0.0) == [], "one ended after the turn"
    assert told.listed(1, {0: 2, 1: 1}, 0.0) == (
        refused(1, lane=1).outcome,
        handled(1, term=2).outcome,
        replace(handled(2).outcome, earlier=1),
        replace(handled(3).outcome, earlier=1),
    )
    assert set(told.heard(1, 0.0)) == {refused(1, lane=1), handled(1, term=2), handled(2), handled(3)}
    assert (len(told), told.timer) == (0, None)


@pytest.mark.parametrize("present", range(OUTCOMES_MAX + 2))
def test_results_of_earlier_terms_take_the_room_that_is_left_and_the_rest_is_told_next(present: int) -> None:
    earlier = [handled(number) for number in range(1, 3 * OUTCOMES_MAX)]
    told = outcomes(*earlier, *(refused(number, term=2) for number in range(present)))
    told.turned(0, 2, 0.0)
    listed, left = told.listed(1, {0: 2}, 0.0), len(told)
    results = [one for one in listed if one.earlier]
    assert len(listed) - len(results) == min(present, OUTCOMES_MAX)
    assert [one.sequence for one in results] == list(range(1, len(results) + 1))
    assert len(results) <= RESULTS_MAX
    assert (len(results) == RESULTS_MAX) == (not present)
    lanes = [LaneReport(lane, 2, 9, 9, NO_CHAIN) for lane in range(LANES_MAX)]
    extras = tuple((number, NO_CHAIN) for number in range(EXTRAS_MAX))
    report = Report(1, (replace(lanes[0], extras=extras), *lanes[1:]), outcomes=listed)
    assert UP_SIZE + 28 + len(encode_report(report)) <= DATAGRAM_MAX
    told.heard(1, 0.0)
    assert len(told) == left - len(listed)
    assert told.listed(2, {0: 2}, 0.0)


def test_reports_come_ever_more_rarely_until_something_new_is_to_be_told() -> None:
    told = outcomes(refused(1))
    waits = []
    for counter in range(12):
        told.listed(counter, TERMS, 0.0)
        assert told.timer is not None
        waits.append(told.timer)
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (0.2, 10.0)
    told.add([refused(2)], 0.0)
    assert told.timer == 0.1


def test_of_too_many_results_of_handlers_the_oldest_go_and_nothing_else() -> None:
    told = outcomes(refused(1))
    dropped = told.add([handled(number) for number in range(1, HANDLED_KEPT_MAX + 3)], 0.0)
    assert dropped == [handled(1), handled(2)]
    assert told.listed(1, TERMS, 0.0)[0] == refused(1).outcome
