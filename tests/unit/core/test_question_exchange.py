"""Master and nodes in memory: questions reach whom they mean, and are carried out once."""

from __future__ import annotations

import pytest
from netcrier.core.questions import Over
from netcrier.wire.header import read_front
from netcrier.wire.kinds import Kind

from tests.network import enrolled, nothing


@pytest.mark.parametrize("loss", [0.0, 0.3])
def test_a_ping_is_answered_by_every_node_under_loss_and_without(loss: float) -> None:
    net = enrolled(20, seed=14, loss=loss)
    question = net.master.ask("", b"", "", net.master.roster.members(), net.now, 5.0)
    net.run(6, until=lambda: bool(net.over))
    assert net.over == [Over(question, ())]
    assert sorted(reply.index for reply in net.replies) == sorted(net.master.roster.members())
    known = [reply.rtt for reply in net.replies if reply.rtt is not None]
    assert all(rtt == pytest.approx(2e-4, abs=1e-5) for rtt in known)
    assert len(known) == 20 if not loss else 0 < len(known) < 20


def test_a_question_reaches_the_nodes_that_it_means_and_is_carried_out_once() -> None:
    net = enrolled(3, seed=15)
    asked = net.master.ask("disk", b"/var", "name=node1", [net.master.roster.find("node1")[0].row.index], net.now, 2.0)
    net.lose = lambda data, up: up and read_front(data).kind is Kind.ANSWER
    net.run(1)
    assert [len(node.asked) for node in net.nodes] == [0, 1, 0]
    assert net.nodes[0].listener.refused["not asked"] >= 1
    (event,) = net.nodes[1].asked
    assert (event.name, event.body) == ("disk", b"/var")
    net.nodes[1].listener.answer(event.question, 3, bytes(5000), 5000, net.now)
    net.lose = nothing
    net.run(2, until=lambda: bool(net.over))
    (reply,) = net.replies
    assert (reply.question, reply.code, len(reply.output), reply.size) == (asked, 3, 5000, 5000)
    assert len(net.nodes[1].asked) == 1


def test_a_recorded_question_starts_nothing_again() -> None:
    net = enrolled(1, seed=16)
    net.master.ask("disk", b"", "", net.master.roster.members(), net.now, 0.5)
    net.run(3)
    recorded = [data for data in net.sent if read_front(data).kind is Kind.QUESTION]
    for data in recorded:
        net.inject(data, net.nodes[0])
    net.run(1)
    assert len(net.nodes[0].asked) == 1
    assert net.nodes[0].listener.refused["replayed"] >= len(recorded)
