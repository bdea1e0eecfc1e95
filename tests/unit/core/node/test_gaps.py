"""When a node asks for what it lacks, and when it holds its peace."""

from __future__ import annotations

import pytest
from netcrier.core.node.batch import Arrival, Lane
from netcrier.core.node.gaps import GapRequests
from netcrier.core.node.inbox import Inbox
from netcrier.ids import MasterId
from netcrier.wire.envelope import digest
from netcrier.wire.message import Message
from netcrier.wire.signed import Head


def started() -> tuple[Inbox, GapRequests]:
    inbox = Inbox([Lane(0, 1, 0), Lane(1, 1, 0)])
    return inbox, GapRequests(inbox, lambda: 0.5)


def arrive(inbox: Inbox, sequence: int) -> None:
    message = Message(Head(MasterId(bytes(16)), 1, 1, 1), 0, sequence, 0, 0, b"")
    inbox.offer(Arrival(message, digest(b"%d" % sequence), 0))


def test_nothing_is_asked_while_nothing_lacks() -> None:
    inbox, gaps = started()
    arrive(inbox, 1)
    gaps.known(0, 1, now=10.0)
    assert gaps.timer is None
    assert gaps.due(99.0) == []


def test_a_gap_is_asked_for_after_a_wait_and_again_while_it_lacks() -> None:
    _, gaps = started()
    gaps.known(0, 3, now=10.0)
    assert gaps.timer == pytest.approx(10.0045)
    assert gaps.due(10.004) == []
    assert gaps.due(10.005) == [(0, ((1, 3),))]
    assert gaps.timer == pytest.approx(10.035)
    assert gaps.due(10.036) == [(0, ((1, 3),))]


def test_what_came_meanwhile_is_not_asked_for() -> None:
    inbox, gaps = started()
    gaps.known(0, 3, now=10.0)
    arrive(inbox, 2)
    assert gaps.due(11.0) == [(0, ((1, 1), (3, 1)))]
    arrive(inbox, 1)
    arrive(inbox, 3)
    assert gaps.due(12.0) == []
    assert gaps.timer is None


def test_retries_back_off_in_silence_and_not_while_the_master_is_heard() -> None:
    _, gaps = started()
    gaps.known(0, 1, now=0.0)

    def waits(heard: bool) -> list[float]:
        found = []
        for _ in range(4):
            at = gaps.timer
            assert at is not None
            gaps.due(at)
            if heard:
                gaps.heard()
            assert gaps.timer is not None
            found.append(round(gaps.timer - at, 3))
        return found

    assert waits(heard=False) == [0.03, 0.06, 0.12, 0.24]
    gaps.heard()
    assert waits(heard=True) == [0.03] * 4


def test_an_older_beacon_does_not_lower_what_is_known() -> None:
    _, gaps = started()
    gaps.known(0, 9, now=0.0)
    gaps.known(0, 4, now=0.0)
    assert gaps.behind(0, mark=2) == 7
    assert gaps.behind(1, mark=2) == 0


def test_a_journal_that_refuses_stops_all_asking_for_its_pause() -> None:
    _, gaps = started()
    gaps.known(0, 1, now=0.0)
    gaps.known(1, 1, now=0.0)
    gaps.hold(now=0.0, pause=1.0)
    assert gaps.due(0.99) == []
    assert gaps.due(1.0) == [(0, ((1, 1),)), (1, ((1, 1),))]


def test_a_lane_that_the_node_does_not_have_is_not_asked_for() -> None:
    _, gaps = started()
    gaps.known(3, 9, now=0.0)
    gaps.hold(now=0.0, pause=1.0)
    assert gaps.due(5.0) == []
    assert gaps.timer is None
