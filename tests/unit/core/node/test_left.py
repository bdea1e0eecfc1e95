"""Terms that a lane has left before the log had all of them: told once the log has, until that is heard."""

from __future__ import annotations

from netcrier.core.node.batch import Lane
from netcrier.core.node.left import Left
from netcrier.ids import MessageId
from netcrier.wire.envelope import NONCE_SIZE, TAG_SIZE, Digest
from netcrier.wire.header import UP_SIZE
from netcrier.wire.limits import DATAGRAM_MAX, EXTRAS_MAX, LANES_MAX, OUTCOMES_MAX
from netcrier.wire.report import LaneReport, Outcome, Report, Told, encode_report

DIGEST = Digest(bytes(16))
LANES = tuple(Lane(lane, term, 5) for term in (3, 4) for lane in (0, 1))


def test_it_is_told_when_the_log_has_all_of_it_and_not_before() -> None:
    left = Left((), logged=True)
    left.add(Lane(0, 1, 3))
    assert not left.logged(MessageId(1, 0, 2))
    assert not left.logged(MessageId(2, 0, 3))
    assert left.listed(1, 2) == []
    assert left.heard(1) == []
    assert left.logged(MessageId(1, 0, 3))
    assert not left.logged(MessageId(1, 0, 3)), "that is known"
    (told,) = left.listed(2, 2)
    assert (told.term, told.received, told.delivered) == (1, 3, 3)
    assert left.heard(1) == [], "that one has not said it"
    assert left.heard(3) == [(1, 0)], "every later one has"
    assert left.lanes == ()


def test_a_report_has_room_for_two_and_the_others_wait() -> None:
    left = Left(LANES, logged=True)
    extras = tuple((9 + number, DIGEST) for number in range(EXTRAS_MAX // 2))
    full = tuple(LaneReport(lane, 7, 0, 0, DIGEST, extras) for lane in (0, 1))
    outcomes = tuple(Outcome(0, number + 1, Told.MISSED, 0) for number in range(OUTCOMES_MAX))
    first = left.listed(1, LANES_MAX - len(full))
    assert [(lane.term, lane.lane) for lane in first] == [(3, 0), (3, 1)]
    report = Report(1, (*first, *full), outcomes=outcomes)
    assert len(report.lanes) == LANES_MAX
    assert UP_SIZE + NONCE_SIZE + len(encode_report(report)) + TAG_SIZE <= DATAGRAM_MAX
    assert sorted(left.heard(1)) == [(3, 0), (3, 1)]
    assert [(lane.term, lane.lane) for lane in left.listed(2, 2)] == [(4, 0), (4, 1)]
    assert sorted(left.heard(2)) == [(4, 0), (4, 1)]
