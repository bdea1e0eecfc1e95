"""Earlier terms: who is told what of them, and when."""

from __future__ import annotations

from netcrier.core.events import NodeRow
from netcrier.core.master.outbox import OutLane
from netcrier.core.master.past import Past
from netcrier.core.master.roster import Node
from netcrier.ids import MasterId, NodeId
from netcrier.wire.envelope import NO_CHAIN, digest
from netcrier.wire.heard import Entry
from netcrier.wire.limits import HEARD_MAX, NUMBER_CLAIM_MAX
from netcrier.wire.report import LaneReport, Report
from netcrier.wire.signed import Head
from netcrier.wire.turn import Stand

HEAD = Head(MasterId(bytes(16)), 5, 1, 1)


def lane(number: int, messages: int) -> OutLane:
    out = OutLane(number)
    for sequence in range(messages):
        out.append(digest(b"%d" % sequence))
    return out


def node(index: int) -> Node:
    row = NodeRow(index, NodeId(bytes(16)), bytes(32), "n", bytes(16), (), "token", True, 7, "", 0, ())
    return Node(row, bytes(32))


def report(counter: int, *lanes: tuple[int, int, int]) -> Report:
    told = [LaneReport(number, term, received, 0, NO_CHAIN) for number, term, received in lanes]
    return Report(counter, tuple(told), 0, 0)


def test_a_report_of_the_present_term_is_not_answered_and_one_of_an_earlier_term_once() -> None:
    past = Past(5, {1: [lane(0, 3)]}, [])
    assert past.reported(node(1), report(1, (0, 5, 9), (1, 5, 0))) is None
    entry = past.reported(node(1), report(2, (0, 1, 2), (1, 5, 0)))
    assert entry == Entry(1, 7, 2)
    (turn,) = past.turns([entry], lambda: HEAD)
    assert (turn.lane, turn.term, turn.last, turn.known, turn.following) == (0, 1, 3, 3, 5)
    assert turn.stands == (Stand(1, 7, 2),)
    assert list(past.turns([entry, Entry(9, 9, 9)], lambda: HEAD)) == []


def test_a_lane_goes_on_in_the_next_term_that_has_something_of_it() -> None:
    past = Past(5, {1: [lane(0, 3), lane(1, 1)], 2: [lane(0, 0), lane(1, 4)], 3: [lane(0, 2)]}, [])
    entry = past.reported(node(1), report(1, (0, 1, 3), (1, 1, 1)))
    assert entry
    assert [(turn.lane, turn.following) for turn in past.turns([entry], lambda: HEAD)] == [(0, 3), (1, 2)]


def test_of_a_term_that_the_store_does_not_know_nothing_is_to_be_had() -> None:
    past = Past(5, {}, [(4, 0, 12)])
    entry = past.reported(node(1), report(1, (0, 4, 7)))
    assert entry
    (turn,) = past.turns([entry], lambda: HEAD)
    assert (turn.last, turn.known, turn.following) == (0, 12, 5)
    assert past.lane(5, 0) is past.lane(6, 0) is past.lane(0, 0) is past.lane(4, 9) is None


def test_what_nodes_claim_lengthens_a_gap_up_to_a_limit() -> None:
    for claimed, known in ((3 + NUMBER_CLAIM_MAX, 3 + NUMBER_CLAIM_MAX), (2**64 - 1, 3 + NUMBER_CLAIM_MAX)):
        past = Past(5, {1: [lane(0, 3)]}, [(1, 0, claimed)])
        entry = past.reported(node(1), report(1, (0, 1, 3)))
        assert entry
        (turn,) = past.turns([entry], lambda: HEAD)
        assert turn.known == known
        assert not turn.known > 3 + NUMBER_CLAIM_MAX


def test_nodes_that_stand_in_one_term_share_their_answers() -> None:
    past = Past(5, {1: [lane(0, 3)]}, [])
    entries = [past.reported(node(index), report(1, (0, 1, 1))) for index in range(HEARD_MAX + 1)]
    turns = list(past.turns([entry for entry in entries if entry], lambda: HEAD))
    assert [len(turn.stands) for turn in turns] == [HEARD_MAX, 1]


def test_a_term_of_which_only_nodes_know_is_not_left_out() -> None:
    past = Past(5, {1: [lane(0, 3)], 4: [lane(0, 1)]}, [(3, 0, 12), (2, 1, 7), (9, 1, 7), (2, 0, 0)])
    entry = past.reported(node(1), report(1, (0, 1, 3), (1, 3, 0)))
    assert entry
    assert [(turn.lane, turn.following) for turn in past.turns([entry], lambda: HEAD)] == [(0, 3), (1, 5)]
    entry = past.reported(node(1), report(2, (0, 3, 0)))
    assert entry
    assert [(turn.known, turn.following) for turn in past.turns([entry], lambda: HEAD)] == [(12, 4)]
