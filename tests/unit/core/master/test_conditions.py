"""Whom a message is for and until when, and what a node is skipped over."""

from __future__ import annotations

import pytest
from netcrier.core.master.conditions import Condition, Conditions, Run
from netcrier.core.master.outbox import OutLane
from netcrier.ids import MessageId
from netcrier.wire.envelope import digest
from netcrier.wire.limits import SKIP_MAX
from netcrier.wire.skip import Cause

MINE, OTHER = 3, 4


def lane(highest: int) -> OutLane:
    out = OutLane(0)
    for number in range(highest):
        out.append(digest(b"%d" % number))
    return out


def conditions(found: dict[int, Condition]) -> Conditions:
    kept = Conditions()
    for sequence, condition in found.items():
        kept.put(MessageId(1, 0, sequence), condition, 10.0, 1_000_000)
    return kept


FOR_OTHER = Condition(frozenset({OTHER}))
SHORT = Condition(None, 2_000_000)


def test_a_message_without_conditions_is_for_everyone() -> None:
    assert conditions({}).run(1, lane(3), 2, MINE, 0) is None


def test_what_is_for_others_is_skipped_in_runs() -> None:
    kept = conditions({2: FOR_OTHER, 3: FOR_OTHER, 5: FOR_OTHER})
    assert kept.run(1, lane(6), 2, MINE, 0) == Run(2, 3, Cause.NOT_FOR_YOU)
    assert kept.run(1, lane(6), 5, MINE, 0) == Run(5, 5, Cause.NOT_FOR_YOU)
    assert kept.run(1, lane(6), 2, OTHER, 0) is None


@pytest.mark.parametrize(("now_us", "run"), [(2_000_000, None), (2_000_001, Run(2, 2, Cause.EXPIRED))])
def test_a_message_is_skipped_once_its_age_limit_has_passed(now_us: int, run: Run | None) -> None:
    assert conditions({2: SHORT}).run(1, lane(3), 2, MINE, now_us) == run


def test_runs_of_two_causes_are_two() -> None:
    kept = conditions({1: SHORT, 2: FOR_OTHER})
    assert kept.run(1, lane(2), 1, MINE, 3_000_000) == Run(1, 1, Cause.EXPIRED)
    assert kept.run(1, lane(2), 1, OTHER, 3_000_000) == Run(1, 1, Cause.EXPIRED)


def test_what_is_no_longer_kept_is_skipped_for_everyone_up_to_what_is() -> None:
    out = lane(9)
    out.drop_below(6)
    assert conditions({}).run(1, out, 2, MINE, 0) == Run(2, 5, Cause.NO_LONGER_KEPT)
    assert conditions({}).run(1, out, 6, MINE, 0) is None
    assert out.chain_at(5) == lane(5).chains[-1]
    assert out.span().lowest == 6


def test_a_skip_covers_no_more_than_it_may() -> None:
    out = OutLane(0, lowest=SKIP_MAX + 10, base=digest(b""))
    assert conditions({}).run(1, out, 1, MINE, 0) == Run(1, SKIP_MAX, Cause.NO_LONGER_KEPT)


def test_each_age_limit_ends_once() -> None:
    kept = conditions({1: SHORT, 2: Condition(None, 1_500_000), 3: FOR_OTHER})
    assert kept.timer == 10.5
    assert kept.ended(10.4) == []
    assert kept.ended(11.0) == [MessageId(1, 0, 2), MessageId(1, 0, 1)]
    assert kept.timer is None


def test_what_is_dropped_ends_nothing() -> None:
    kept = conditions({1: SHORT})
    kept.drop([MessageId(1, 0, 1)])
    assert (kept.timer, kept.run(1, lane(1), 1, MINE, 3_000_000)) == (None, None)
