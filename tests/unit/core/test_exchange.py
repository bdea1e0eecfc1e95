"""Master and nodes in memory: the promises of the broadcast, under loss, crashes and attack, from a seed."""

from __future__ import annotations

import pytest
from netcrier.core.events import Pin
from netcrier.core.outbox import OutLane
from netcrier.ids import MessageId
from netcrier.wire.envelope import Signer

from tests.network import Network


def enrolled(nodes: int, seed: int, loss: float = 0.0) -> Network:
    net = Network(nodes, seed, loss)
    net.run(30, until=lambda: len(net.master.roster) == nodes and all(n.listener.enrolled for n in net.nodes))
    assert all(node.listener.enrolled for node in net.nodes), f"seed {seed}"
    return net


def test_every_node_has_one_message_and_the_master_knows() -> None:
    net = enrolled(10, seed=1)
    sent = net.broadcast(b"hello")
    net.run(1)
    assert all(node.log == [sent.id] for node in net.nodes)
    assert [done.message for done in net.completed] == [sent.id]
    assert net.completed[0].after < 0.01


@pytest.mark.parametrize("seed", range(5))
def test_loss_both_ways_repeats_and_loses_nothing(seed: int) -> None:
    net = enrolled(10, seed, loss=0.2)
    sent = [net.broadcast(b"%d" % number).id for number in range(100)]
    net.run(30, until=lambda: len(net.completed) == 100)
    assert all(node.log == sent for node in net.nodes), f"seed {seed}"
    assert len(net.completed) == 100, f"seed {seed}"


def test_a_node_that_was_down_gets_what_it_missed_in_order() -> None:
    net = enrolled(3, seed=3)
    away = net.nodes.pop()
    sent = [net.broadcast(b"x").id for _ in range(300)]
    net.run(5)
    assert net.completed == []
    away.start()
    net.nodes.append(away)
    net.run(10, until=lambda: len(net.completed) == 300)
    assert away.log == sent


def test_a_master_that_starts_again_goes_on_with_the_next_number() -> None:
    net = enrolled(3, seed=4)
    first = net.broadcast(b"before").id
    net.run(1)
    net.start_master()
    second = net.broadcast(b"after").id
    net.run(3)
    assert (first, second) == (MessageId(1, 0, 1), MessageId(1, 0, 2))
    assert all(node.log == [first, second] for node in net.nodes)
    assert [done.message for done in net.completed] == [first, second]


def test_a_node_that_starts_again_repeats_nothing() -> None:
    net = enrolled(2, seed=5)
    sent = [net.broadcast(b"a").id]
    net.run(1)
    net.nodes[0].start()
    sent.append(net.broadcast(b"b").id)
    net.run(3)
    assert net.nodes[0].log == sent


def test_urgent_messages_have_a_lane_of_their_own() -> None:
    net = enrolled(2, seed=6)
    net.broadcast(b"queue")
    urgent = net.broadcast(b"now", lane=1)
    net.run(1)
    assert urgent.id == MessageId(1, 1, 1)
    assert all(set(node.log) == {urgent.id, MessageId(1, 0, 1)} for node in net.nodes)


def test_a_recorded_datagram_is_refused_when_replayed() -> None:
    net = enrolled(2, seed=7)
    net.broadcast(b"once")
    net.run(2)
    before = [list(node.log) for node in net.nodes]
    for data in list(net.sent):
        net.inject(data, net.nodes[0])
    net.run(1)
    assert [node.log for node in net.nodes] == before
    refused = net.nodes[0].listener.refused
    assert refused["duplicate"] >= 1
    assert refused["replayed"] >= 1


def test_who_has_the_group_key_cannot_speak_for_the_master() -> None:
    net = enrolled(2, seed=8)
    thief = net.master.me.signer
    net.master.me = net.master.me.__class__(
        net.master.me.group, "lab", Signer(bytes(32)), net.master.me.agreement, 1, 1, 12346
    )
    forged = net.master.compose(0, b"forged", net.now_us)
    net.inject(net.master._seal(3 - 1, forged.plaintext), net.nodes[0])
    net.run(0.001)
    assert thief is not net.master.me.signer
    assert net.nodes[0].log == []
    assert net.nodes[0].listener.refused["bad signature"] == 1


def test_a_receipt_for_a_forked_lane_is_refused() -> None:
    net = enrolled(1, seed=9)
    net.broadcast(b"told")
    net.run(1)
    net.lanes = [OutLane(0), OutLane(1)]
    net.start_master()
    net.master.compose(0, b"another", net.now_us)
    net.run(3)
    assert net.master.refused["chain mismatch"] >= 1


def test_a_closed_group_lets_a_stranger_wait_and_answers_nothing() -> None:
    net = Network(1, seed=10, is_open=False)
    net.run(10)
    assert not net.nodes[0].listener.enrolled
    assert len(net.waiting) >= 1
    assert net.nodes[0].pin == Pin(
        net.master.me.group, net.signer.public, net.agreement.public, "", "first-use"
    )


def test_garbage_is_counted_and_changes_nothing() -> None:
    net = enrolled(1, seed=11)
    for data in (b"", b"NC", b"NC\x01\x09" + bytes(30), b"XX" + bytes(40), bytes(2000), net.sent[-1][:-1]):
        net.inject(data, net.nodes[0])
        net.inject(data, None)
    net.run(0.1)
    assert sum(net.nodes[0].listener.refused.values()) >= 6
    assert sum(net.master.refused.values()) >= 6
