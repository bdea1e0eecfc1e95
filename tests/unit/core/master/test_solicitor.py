"""Overdue receipts: asked for when they are overdue, of whom it makes sense, and what is learnt from the answers."""

from __future__ import annotations

from itertools import pairwise

import pytest
from netcrier.core.delivery import Delivery, State
from netcrier.core.events import NodeRow
from netcrier.core.master.deliveries import Deliveries
from netcrier.core.master.roster import Node, Roster
from netcrier.core.master.solicitor import Solicitor
from netcrier.ids import MessageId, NodeId

WINDOW = 0.005
SENT = 100.0


def solicitor(nodes: int, heard_at: float | None = SENT) -> tuple[Solicitor, list[Node], Deliveries]:
    """Nodes that were heard when a message was sent to all of them."""
    roster, deliveries = Roster(), Deliveries()
    for index in range(nodes):
        identity = NodeId(index.to_bytes(16, "big"))
        row = NodeRow(index, identity, bytes(32), f"n{index}", bytes(16), (), "token", True, 1, "", 0, ())
        roster.put(Node(row, bytes(32), heard_at=heard_at))
    deliveries.track(Delivery(MessageId(1, 0, 1), range(nodes), SENT))
    return Solicitor(roster, deliveries), list(roster), deliveries


def times_asked(machine: Solicitor, until: float) -> list[float]:
    """When nodes are asked, while none answers."""
    times = []
    machine.soon(SENT + machine.patience(WINDOW))
    while machine.timer is not None and machine.timer < until:
        now = machine.timer
        if machine.due(now, WINDOW):
            times.append(now)
    return times


def test_a_silent_node_is_asked_after_the_window_and_ever_more_rarely_to_once_a_second() -> None:
    machine, _, _ = solicitor(1)
    times = times_asked(machine, SENT + 5)
    pauses = [later - before for before, later in pairwise(times)]
    assert times[0] == pytest.approx(SENT + WINDOW + 0.04)
    assert pauses[:4] == pytest.approx([0.042, 0.084, 0.168, 0.336])
    assert pauses[4:] == pytest.approx([0.672] + [1.0] * (len(pauses) - 5))
    assert len(pauses) >= 8


def test_a_node_that_is_away_is_not_asked() -> None:
    machine, _, _ = solicitor(1)
    assert max(times_asked(machine, SENT + 60)) < SENT + 31


def test_a_node_not_heard_since_the_start_is_asked_six_times() -> None:
    machine, _, _ = solicitor(1, heard_at=None)
    assert len(times_asked(machine, SENT + 60)) == 6


def test_only_the_nodes_that_lack_a_receipt_are_asked() -> None:
    machine, _, deliveries = solicitor(3)
    deliveries.move(MessageId(1, 0, 1), 1, State.RECEIVED, SENT + 0.001)
    assert machine.due(SENT + 1, WINDOW) == [(0, 1, {0, 2})]


def test_lost_receipts_do_not_make_it_wait_longer() -> None:
    machine, (node,), _ = solicitor(1)
    for number in range(300):
        sent = SENT + number
        if number % 3 == 0:  # lost and asked for
            node.solicited_at, answered = sent + 0.05, sent + 0.07
        elif number % 3 == 1:  # the message was lost, asked for by the node, repeated
            node.requested_at, answered = sent + 0.3, sent + 0.9
        else:
            answered = sent + 0.008
        machine.learn(node, number, answered - sent, WINDOW, answered)
    assert machine.patience(WINDOW) == pytest.approx(WINDOW + 0.02)


def test_receipts_that_come_right_after_the_question_teach_it_to_wait() -> None:
    machine, (node,), _ = solicitor(1)
    for number in range(300):
        sent = SENT + number
        node.solicited_at = sent + 0.1999
        machine.learn(node, number, 0.2, WINDOW, sent + 0.2)
    assert machine.patience(WINDOW) == pytest.approx(0.4, abs=0.02)


def test_a_node_that_spoke_is_given_time_before_it_is_asked_again() -> None:
    machine, (node,), _ = solicitor(1)
    assert machine.due(SENT + 1, WINDOW)
    machine.heard(node, SENT + 1.001)
    assert not machine.due(SENT + 1.01, WINDOW)
    assert machine.due(SENT + 1.1, WINDOW)


def test_a_node_whose_identity_two_machines_use_is_not_asked_while_both_are_heard() -> None:
    machine, (one, other), _deliveries = solicitor(2)
    one.twin_at = SENT
    machine.soon(SENT + 1)
    assert machine.due(SENT + 1, WINDOW) == [(0, 1, {other.row.index})]
    other.heard_at = one.heard_at = later = SENT + 31
    machine.soon(later)
    assert machine.due(later, WINDOW) == [(0, 1, {one.row.index, other.row.index})]


def test_what_one_node_was_sent_alone_delays_the_question_to_it_and_not_to_the_others() -> None:
    machine, _, deliveries = solicitor(2)
    delivery = deliveries.get(MessageId(1, 0, 1))
    assert delivery
    delivery.served[0] = SENT + 0.3
    assert machine.due(SENT + 0.1, WINDOW) == [(0, 1, {1})]
    for node in machine._roster:
        machine.heard(node, SENT + 0.1)
    assert machine.due(SENT + 0.3, WINDOW) == [(0, 1, {1})]
    assert machine.due(SENT + 0.3 + machine.patience(WINDOW), WINDOW)[0][2] >= {0}
