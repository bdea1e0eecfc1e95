"""Master and nodes in memory: the promises of the broadcast, under loss and crashes, from a seed."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from netcrier.core.events import Datagram
from netcrier.ids import GroupId, MessageId
from netcrier.wire.header import read_front
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import CATCH_UP_LAG

from tests.network import Network, enrolled, no_messages, nothing


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


def test_a_few_nodes_that_lack_a_receipt_are_asked_one_by_one_and_no_beacon_is_hurried() -> None:
    net = enrolled(20, seed=22)
    net.run(2)
    deaf = {node.address for node in net.nodes[:3]}
    carry, down = net._carry_down, []

    def carried(datagram: Datagram) -> None:
        down.append((read_front(datagram.data).kind, datagram.to))
        carry(datagram)

    net._carry_down = carried  # type: ignore[method-assign]
    silent = {node.listener.id for node in net.nodes[:3]}
    net.lose = lambda data, up: up and data[12:28] in silent and Kind.SOLICIT not in [kind for kind, _ in down]
    net.broadcast(b"x")
    net.run(0.4, until=lambda: len(net.completed) == 1)
    assert len(net.completed) == 1
    assert {to for kind, to in down if kind is Kind.SOLICIT} == deaf
    assert [kind for kind, _ in down].count(Kind.BEACON) <= 1


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


@pytest.mark.parametrize("no_tcp", [False, True])
def test_a_node_that_lags_far_catches_up_also_where_no_connection_is_made(no_tcp: bool) -> None:
    net = enrolled(3, seed=3)
    net.no_tcp = no_tcp
    away = net.nodes.pop()
    sent = [net.broadcast(b"x", lane=number % 2).id for number in range(1000)]
    net.run(5)
    away.start()
    net.nodes.append(away)
    net.run(10, until=lambda: len(net.completed) == 1000)
    assert [identity for identity in away.log if identity.lane == 0] == sent[::2]
    assert [identity for identity in away.log if identity.lane == 1] == sent[1::2]
    assert net.master.stock.caught_up == (0 if no_tcp else 1000)
    assert net.connections == (0 if no_tcp else 1)


def test_a_connection_whose_question_udp_overtakes_is_served_all_the_same() -> None:
    net = enrolled(2, seed=13)
    away = net.nodes.pop()
    sent = [net.broadcast(b"x").id for _ in range(CATCH_UP_LAG)]
    net.run(2)
    away.start()
    net.nodes.append(away)
    net.tcp_delay = 1.5
    net.lose = lambda _data, up: up and not net.calling
    net.run(2, until=lambda: net.calling)
    net.risen.clear()
    net.run(1.4)
    assert Kind.REPORT in {read_front(data).kind for data in net.risen}, "it was asked meanwhile"
    net.run(10, until=lambda: len(net.completed) == len(sent))
    assert away.log == sent
    assert (net.connections, net.master.stock.caught_up, net.master.repair.repeated) == (1, len(sent), 0)
    assert net.master.refused.total() == 0


def test_a_few_numbers_are_repaired_without_a_connection() -> None:
    net = enrolled(2, seed=12)
    away = net.nodes.pop()
    for _ in range(CATCH_UP_LAG - 1):
        net.broadcast(b"x")
    net.run(1)
    away.start()
    net.nodes.append(away)
    net.run(10, until=lambda: len(net.completed) == CATCH_UP_LAG - 1)
    assert (len(away.log), net.connections) == (CATCH_UP_LAG - 1, 0)


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


def test_a_hundred_nodes_at_five_percent_loss_are_all_known_to_have_it() -> None:
    net = enrolled(100, seed=12, loss=0.05)
    sent = [net.broadcast(b"%d" % number).id for number in range(5)]
    net.run(10, until=lambda: len(net.completed) == 5)
    assert all(node.log == sent for node in net.nodes)
    received = {(receipt.message, receipt.index) for receipt in net.receipts}
    assert received == {(message, index) for message in sent for index in range(100)}
    assert max(done.after for done in net.completed) < 2.0


@pytest.mark.parametrize("group", [GroupId(b"groupgrp"), GroupId(b"another!")])
def test_two_masters_on_one_wire_do_not_disturb_each_other(group: GroupId) -> None:
    ours, theirs = enrolled(2, seed=13), Network(2, seed=14, group=group)
    theirs.run(30, until=lambda: all(node.listener.enrolled for node in theirs.nodes))
    mine, other = ours.broadcast(b"ours").id, theirs.broadcast(b"theirs").id
    for _ in range(100):
        for here, there in ((ours, theirs), (theirs, ours)):
            down, up = len(there.sent), len(there.risen)
            there.run(0.02)
            for data in there.sent[down:]:
                for node in here.nodes:
                    here.inject(data, node, ("10.0.0.99", 12346))
            for data in there.risen[up:]:
                here.inject(data, None, ("10.0.1.99", 12345))
    for net, sent in ((ours, mine), (theirs, other)):
        assert [node.log for node in net.nodes] == [[sent], [sent]]
        assert [done.message for done in net.completed] == [sent]
        refused = net.nodes[0].listener.refused
        assert refused["other master"] + refused["other group"] >= 1
        assert not any(node.row.address == "10.0.1.99" for node in net.master.roster)


def test_a_mark_that_goes_back_counts_as_rolled_back_and_is_repaired() -> None:
    net = enrolled(1, seed=18)
    node = net.nodes[0]
    snapshot = node.lanes, dict(node.journal), list(node.log)
    sent = [net.broadcast(b"%d" % number).id for number in range(3)]
    net.run(1)
    node.lanes, node.journal, node.log = snapshot
    net.lose = no_messages
    node.start()
    net.run(11)
    assert net.master.refused["rolled back"] >= 1
    net.lose = nothing
    net.run(3)
    assert node.log == sent


def test_a_rotated_group_key_reaches_every_member_and_nobody_else() -> None:
    net = enrolled(2, seed=21)
    outsider = net.rows[net.nodes[1].listener.id]
    net.master.enlist(replace(outsider, approved=False, trust="waiting"))
    net.take_keys(net.master.keyring.replaced(b"N" * 32, net.now_us))
    net.run(5)
    sent = net.broadcast(b"members only")
    net.run(2)
    assert net.nodes[0].log == [sent.id]
    assert net.nodes[1].log == []
    assert net.nodes[1].listener.refused["unknown epoch"] >= 1


def test_a_node_that_has_lost_its_journal_gets_again_what_it_has_not_acknowledged_and_no_receipt_is_false() -> None:
    net = enrolled(2, seed=77)
    node = net.nodes[1]
    before = [net.broadcast(b"before %d" % number).id for number in range(3)]
    net.run(2)
    net.nodes.remove(node)
    missed = [net.broadcast(b"missed %d" % number).id for number in range(3)]
    urgent = net.broadcast(b"urgent", lane=1).id
    net.run(2)
    node.lanes, node.membership, node.journal, node.log = (), type(node.membership)(), {}, []
    node.start()
    net.nodes.append(node)
    index = net.rows[node.listener.id].index
    net.run(20, until=lambda: node.listener.enrolled)
    for message in (*missed, urgent):
        delivery = net.master.deliveries.get(message)
        assert delivery
        assert index in delivery.outstanding or message in node.journal
    net.run(5)
    assert sorted(node.log) == [*missed, urgent], "what it had acknowledged is not sent again"
    assert not any(index in delivery.outstanding for delivery in net.master.deliveries)
    assert before[0] not in node.journal
