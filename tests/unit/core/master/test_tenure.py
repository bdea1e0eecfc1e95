"""Who of several masters of one identity may speak: a table of what each hears, and what comes of it."""

from __future__ import annotations

import pytest
from netcrier.core.master.tenure import ANSWER_EVERY, ASK_EVERY, LISTEN_FOR, Rival, Tenure
from netcrier.core.standing import Standing, StandingChanged
from netcrier.errors import UsageError
from netcrier.ids import NodeId
from netcrier.wire.limits import LANES_MAX, TELLERS_MAX, TERM_CLAIM_MAX
from netcrier.wire.tally import Tally

LANES = {0: 10, 1: 0}
NODE = NodeId(bytes(16))


def rival(term: int, boot: int, counter: int = 5, epoch: int = 1, at: float = 1.0) -> Rival:
    return Rival(("10.0.0.9", 12346), term, boot, counter, epoch, at)


def told(term: int, boot: int, *lanes: tuple[int, int, int]) -> Tally:
    return Tally(1, term, boot, 1, lanes)


def listened(tenure: Tenure) -> StandingChanged:
    """What the listening comes to."""
    tenure.due(0.0)
    asks, settled = tenure.due(LISTEN_FOR)
    assert settled
    assert not asks
    return settled


def test_without_a_reason_to_listen_it_speaks_at_once() -> None:
    tenure = Tenure(1, 1, LANES)
    tenure.require()
    assert (tenure.speaking, tenure.timer, tenure.why) == (True, float("inf"), "")


def test_it_asks_while_it_listens_and_then_speaks_where_nobody_contradicts() -> None:
    tenure = Tenure(1, 4, LANES, listen=True)
    asked = [at for at in (0.0, 0.1, ASK_EVERY, ASK_EVERY + 0.1, 2 * ASK_EVERY) if tenure.due(at)[0]]
    assert asked == [0.0, ASK_EVERY, 2 * ASK_EVERY]
    with pytest.raises(UsageError, match="it listens for others"):
        tenure.require()
    tenure.tally(NODE, told(1, 3, (0, 1, 10)))
    assert tenure.due(LISTEN_FOR) == (False, StandingChanged(Standing.SPEAKING, ""))


@pytest.mark.parametrize(
    ("tally", "said"),
    [
        (told(1, 5), r"nodes have heard another run \(term 1, boot 5; here 1, 4\)"),
        (told(2, 1), r"nodes have heard another run \(term 2, boot 1; here 1, 4\)"),
        (told(1, 3, (0, 1, 11)), "nodes have messages that this store does not have"),
        (told(1, 3, (1, 1, 1)), "nodes have messages that this store does not have"),
    ],
)
def test_a_store_that_is_older_than_what_nodes_know_stays_silent(tally: Tally, said: str) -> None:
    tenure = Tenure(1, 4, LANES, listen=True)
    tenure.tally(NODE, tally)
    assert listened(tenure).standing is Standing.STANDBY
    with pytest.raises(UsageError, match=said):
        tenure.require()


def test_another_that_speaks_keeps_it_silent_also_with_a_lower_boot() -> None:
    tenure = Tenure(1, 4, LANES, listen=True)
    tenure.beacon(rival(1, 3), 0, asking=False)
    assert listened(tenure) == StandingChanged(
        Standing.STANDBY,
        "the one at 10.0.0.9 speaks (term 1, boot 3); netctl master take-over begins a new term here",
    )


def test_another_that_only_asks_does_not() -> None:
    tenure = Tenure(1, 4, LANES, listen=True)
    tenure.beacon(rival(1, 9), 0, asking=True)
    assert listened(tenure).standing is Standing.SPEAKING


@pytest.mark.parametrize("higher", [rival(1, 5), rival(2, 1), rival(1, 4, counter=101)])
def test_who_speaks_stops_for_higher_numbers(higher: Rival) -> None:
    tenure = Tenure(1, 4, LANES)
    _, settled = tenure.beacon(higher, 100, asking=False)
    assert settled
    assert (settled.standing, tenure.speaking) == (Standing.SUPERSEDED, False)
    assert "has replaced it" in settled.why


@pytest.mark.parametrize("lower", [rival(1, 3, counter=999), rival(0, 9), rival(1, 4, counter=100)])
def test_who_speaks_goes_on_for_lower_numbers_and_for_its_own_echo(lower: Rival) -> None:
    tenure = Tenure(1, 4, LANES)
    answers, settled = tenure.beacon(lower, 100, asking=False)
    assert (settled, tenure.speaking, answers) == (None, True, (lower.term, lower.boot) != (1, 4))


def test_who_speaks_answers_questions_at_a_bounded_rate() -> None:
    tenure = Tenure(1, 4, LANES)
    ats = (1.0, 1.0 + ANSWER_EVERY / 2, 1.0 + 2 * ANSWER_EVERY)
    answers = [tenure.beacon(rival(1, 5, at=at), 100, asking=True)[0] for at in ats]
    assert answers == [True, False, True]


def test_what_nodes_claim_silences_nobody_who_speaks() -> None:
    tenure = Tenure(1, 4, LANES)
    tenure.tally(NODE, told(9, 9, (0, 9, 99)))
    assert tenure.speaking
    assert tenure.unknown == [(9, 0, 99)]


def test_the_next_term_is_above_all_that_was_heard() -> None:
    tenure = Tenure(2, 4, LANES, listen=True)
    assert tenure.next_term == 3
    tenure.tally(NODE, told(5, 1))
    assert tenure.next_term == 6
    tenure.beacon(rival(7, 1, epoch=8), 0, asking=False)
    assert (tenure.next_term, tenure.highest_epoch) == (8, 8)


def test_what_nodes_claim_cannot_use_the_terms_up() -> None:
    tenure = Tenure(2, 4, LANES, listen=True)
    tenure.tally(NODE, told(2**32 - 1, 1))
    assert tenure.next_term == 2 + TERM_CLAIM_MAX + 1


def test_a_recovered_store_begins_a_term_unless_another_speaks() -> None:
    tenure = Tenure(1, 1, {}, recovering=True)
    tenure.tally(NODE, told(3, 9, (0, 3, 40), (1, 3, 0)))
    tenure.tally(NodeId(b"another".ljust(16)), told(3, 9, (0, 3, 38)))
    assert listened(tenure).new_term
    assert (tenure.next_term, tenure.unknown) == (4, [(3, 0, 40)])
    assert tenure.due(LISTEN_FOR + 0.1)[1] is None, "the term is begun once, while it is being committed"
    again = tenure.due(2 * LISTEN_FOR)[1]
    assert again
    assert again.new_term, "it could not be committed"
    other = Tenure(1, 1, {}, recovering=True)
    other.beacon(rival(3, 9), 0, asking=False)
    assert listened(other).standing is Standing.STANDBY


def test_a_node_is_remembered_by_its_highest_word_on_each_lane_and_so_many_are_and_no_more() -> None:
    tenure = Tenure(1, 4, LANES, listen=True)
    for term in (*range(1, 1000), 998):
        tenure.tally(NODE, told(1, 3, *((lane, term, 99) for lane in range(LANES_MAX))))
    assert tenure.unknown == [(999, 0, 99), (999, 1, 99)]
    for number in range(2 * TELLERS_MAX + 10):
        tenure.tally(NodeId(number.to_bytes(16)), told(1, 3, (0, 1, 11 + number)))
    assert tenure.unknown == [(1, 0, 11 + 2 * TELLERS_MAX - 2), (999, 0, 99), (999, 1, 99)]
