"""A new term: nodes first get what they missed of the one before, in order, once; what is lost is a gap."""

from __future__ import annotations

import random
from typing import Any

import pytest
from netcrier.core.delivery import State
from netcrier.core.events import Received
from netcrier.core.master.outbox import OutLane
from netcrier.core.node.batch import Passed
from netcrier.core.outcomes import Untold
from netcrier.ids import LANES, MessageId
from netcrier.wire.header import read_front
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import CATCH_UP_LAG
from netcrier.wire.report import Outcome, Told

from tests.network import MASTER, Network, enrolled
from tests.network_node import Node


def test_nodes_follow_a_new_term_within_a_beacon_and_keep_what_they_have() -> None:
    net = enrolled(3, seed=30)
    old = [net.broadcast(b"%d" % number).id for number in range(3)]
    net.run(2)
    net.begin_term(2)
    net.run(0.1)
    new = net.broadcast(b"again one").id
    net.run(1)
    assert new == MessageId(2, 0, 1)
    assert all(node.log == [*old, new] for node in net.nodes)
    assert [done.message for done in net.completed][-1] == new
    assert all(node.lanes[0].term == 2 for node in net.nodes)
    assert net.master.refused["rolled back"] == 0, "a new term's numbers begin at 0"


@pytest.mark.parametrize("heard", [True, False])
@pytest.mark.parametrize("restarts", [0, 1])
def test_what_a_full_log_takes_after_its_term_is_over_is_told_as_delivered_all_the_same(
    restarts: int, heard: bool
) -> None:
    net = enrolled(2, seed=38)
    node = net.nodes[0]
    node.log_full = True
    old = [net.broadcast(b"%d" % number, lane=number % 2).id for number in range(4)]
    net.run(2)
    net.begin_term(2)
    net.run(20, until=lambda: terms_of(node) == [2, 2])
    new = net.broadcast(b"in the new term").id
    net.run(2)
    member = net.master.roster.get(node.listener.id)
    assert member

    def states() -> list[State]:
        deliveries = [net.master.deliveries.get(one) for one in (*old, new)]
        return [delivery.states[member.row.index] for delivery in deliveries if delivery]

    assert states() == [State.RECEIVED] * 5
    for _ in range(restarts):
        node.start()
        net.run(15)
    assert states() == [State.RECEIVED] * 5
    net.lose = lambda data, _up: not heard and read_front(data).kind is Kind.HEARD
    node.log_full = False
    node.write_log(net.now)
    net.run(20)
    assert states() == [State.DELIVERED] * 5
    assert len(node.left) == (0 if heard else 2)
    net.lose = lambda _data, _up: False
    net.run(20)
    assert node.left == {}
    assert net.master.refused["rolled back"] == 0
    before = len(net.risen)
    net.run(30)
    assert len(net.risen) - before < 20, "nothing is told again and again"


def handled(message: MessageId, code: int) -> Untold:
    return Untold(message.term, Outcome(message.lane, message.sequence, Told.HANDLED, code))


def end_handlers(net: Network, node: Node, *ended: Untold) -> None:
    """What the shell does when handlers have ended."""
    node.untold |= dict.fromkeys(ended)
    node.listener.tell(ended, net.now)


@pytest.mark.parametrize("heard", [True, False])
@pytest.mark.parametrize("restarts", [0, 1])
def test_what_handlers_return_after_their_messages_term_is_over_is_told_to_the_next_master(
    restarts: int, heard: bool
) -> None:
    net = enrolled(2, seed=39)
    node = net.nodes[0]
    old = [net.broadcast(b"%d" % number, lane=number % 2).id for number in range(4)]
    net.run(2)
    net.lose = lambda data, _up: read_front(data).kind is Kind.HEARD
    end_handlers(net, node, handled(old[0], 1), handled(old[1], 0))
    net.begin_term(2)
    net.run(5, until=lambda: terms_of(node) == [2, 2])
    net.begin_term(5)
    net.run(5, until=lambda: terms_of(node) == [5, 5])
    end_handlers(net, node, handled(old[2], 3))
    for _ in range(restarts):
        node.start()
    new = net.broadcast(b"in the new term").id
    net.lose = lambda data, _up: not heard and read_front(data).kind is Kind.HEARD
    net.run(20)
    end_handlers(net, node, handled(old[3], 518), handled(new, 0))
    net.run(20)
    member = net.master.roster.get(node.listener.id)
    assert member
    last = {one.message: one for one in net.receipts if one.index == member.row.index}
    assert [(last[one].state, last[one].code) for one in (*old, new)] == [
        (State.HANDLED, code) for code in (1, 0, 3, 518, 0)
    ]
    assert len(node.untold) == (0 if heard else 5)
    net.lose = lambda _data, _up: False
    net.run(20)
    assert node.untold == {}
    before = len(net.risen)
    net.run(30)
    assert len(net.risen) - before < 20, "nothing is told again and again"


def test_what_handlers_returned_for_a_message_that_the_new_store_lacks_is_nothing_to_it_and_told_once() -> None:
    net = enrolled(2, seed=40)
    node = net.nodes[0]
    first, lost = net.broadcast(b"first").id, net.broadcast(b"lost").id
    net.run(1)
    for lane in net.lanes:  # the store is a copy from before
        lane.digests, lane.chains = lane.digests[:1], lane.chains[:1]
    net.master.deliveries._all.pop(lost)
    net.begin_term(2)
    net.run(5, until=lambda: terms_of(node) == [2, 2])
    end_handlers(net, node, handled(first, 0), handled(lost, 0))
    net.run(5)
    assert node.untold == {}
    handled_ = [one.message for one in net.receipts if one.state is State.HANDLED]
    assert handled_ == [first]
    new = [net.broadcast(b"%d" % number).id for number in range(2)]
    net.run(2)
    assert new[1].sequence == lost.sequence
    assert [one.message for one in net.receipts if one.state is State.HANDLED] == [first], "a number is of its term"


def test_a_batch_of_the_old_term_that_is_committed_late_still_counts_there() -> None:
    net = enrolled(1, seed=31)
    node = net.nodes[0]
    net.broadcast(b"old")
    net.master.handle_timer(net.now, net.now_us)
    for datagram in net.master.datagrams_to_send():
        node.listener.receive(Received(datagram.data, MASTER, net.now, net.now_us))
    batch = node.listener.take_batch()
    assert batch
    net.begin_term(2)
    net.master.handle_timer(net.now, net.now_us)
    for datagram in net.master.datagrams_to_send():
        node.listener.receive(Received(datagram.data, MASTER, net.now, net.now_us))
    node.listener.committed(batch, net.now)
    assert [(lane.term, lane.mark) for lane in node.listener.inbox.lanes] == [(1, 1), (1, 0)]
    net.run(1)
    assert [(lane.term, lane.mark) for lane in node.listener.inbox.lanes] == [(2, 0), (2, 0)]


def terms_of(node: Node) -> list[int]:
    return [lane.term for lane in node.listener.inbox.lanes]


def away_for(net: Network, bodies: list[bytes], **condition: Any) -> tuple[Node, list[MessageId]]:
    """A node that is cut off while these are sent to the others, and what was sent."""
    away = net.nodes.pop()
    sent = [net.broadcast(body, **condition).id for body in bodies]
    net.run(20, until=lambda: all(node.log[-1:] == sent[-1:] for node in net.nodes))
    return away, sent


@pytest.mark.parametrize("count", [3, CATCH_UP_LAG + 3])
@pytest.mark.parametrize("seed", range(3))
def test_a_node_that_was_away_gets_what_it_missed_of_the_old_term_and_then_the_new_one(seed: int, count: int) -> None:
    net = enrolled(3, seed=400 + seed, loss=0.2 if seed else 0.0)
    first = net.broadcast(b"first").id
    net.run(2)
    away, sent = away_for(net, [b"%d" % number for number in range(count)])
    net.begin_term(2)
    net.run(1)
    new = [net.broadcast(b"new %d" % number).id for number in range(3)]
    net.run(3)
    net.nodes.append(away)
    net.run(20, until=lambda: len(away.log) == count + 4)
    assert all(node.log == [first, *sent, *new] for node in net.nodes)
    assert net.connections == (0 if count < CATCH_UP_LAG else 1)
    net.run(3)
    for message in sent:
        delivery = net.master.deliveries.get(message)
        assert delivery
        assert not delivery.outstanding, "the new master knows who has it"
        assert delivery.received == 3
    assert away.passed == []


def test_over_two_take_overs_each_term_is_finished_before_the_next() -> None:
    net = enrolled(2, seed=410)
    away, sent = away_for(net, [b"one", b"two"])
    net.begin_term(2)
    net.run(1)
    sent.append(net.broadcast(b"three").id)
    net.run(1)
    net.begin_term(5)
    net.run(1)
    sent.append(net.broadcast(b"four").id)
    net.nodes.append(away)
    net.run(10, until=lambda: len(away.log) == 4)
    assert away.log == net.nodes[0].log == sent
    assert [message.term for message in sent] == [1, 1, 2, 5]
    assert terms_of(away) == [5, 5]


def test_skips_and_tags_of_the_old_term_hold_in_the_new_one() -> None:
    net = enrolled(2, seed=411)
    away, sent = away_for(net, [b"for all"])
    net.broadcast(b"for node0", to="name=node0")
    late = net.broadcast(b"short", ttl_ms=100).id
    last = net.broadcast(b"last").id
    net.run(2)
    net.begin_term(2)
    net.run(1)
    net.nodes.append(away)
    net.run(10, until=lambda: terms_of(away) == [2, 2])
    assert away.log == [*sent, last]
    assert away.passed == [Passed(late, late.sequence, Told.MISSED)]
    net.run(2)
    delivery = net.master.deliveries.get(late)
    assert delivery
    assert delivery.states[net.rows[away.listener.id].index] is State.MISSED
    assert away.untold == {}


def test_what_the_store_of_the_new_term_lacks_is_a_gap_to_who_lacks_it_and_stays_with_who_has_it() -> None:
    net = enrolled(3, seed=412)
    first = net.broadcast(b"first").id
    net.run(1)
    away, lost = away_for(net, [b"lost 1", b"lost 2"])
    for lane in net.lanes:  # the store is a copy from before
        lane.digests, lane.chains = lane.digests[:1], lane.chains[:1]
    for message in lost:
        del net.shelf.kept[message]
        net.master.deliveries._all.pop(message)
    net.unknown = [(1, 0, 3)]
    net.begin_term(2)
    net.run(1)
    new = net.broadcast(b"new").id
    net.nodes.append(away)
    net.run(10, until=lambda: away.log[-1:] == [new])
    assert away.log == [first, new]
    assert away.passed == [Passed(lost[0], 3, Told.GAP)]
    assert all((node.log, node.passed) == ([first, *lost, new], []) for node in net.nodes[:2])
    assert net.master.refused["number not in this store"] == net.master.refused["chain mismatch"] == 0


def test_a_term_that_the_store_lacks_altogether_is_a_gap_to_who_was_away_for_all_of_it() -> None:
    net = enrolled(3, seed=416)
    first = net.broadcast(b"first").id
    net.run(1)
    away = net.nodes.pop()
    net.begin_term(2)
    net.run(1)
    lost = [net.broadcast(b"%d" % number).id for number in range(2)]
    net.run(1)
    del net.master.deliveries._all[lost[0]], net.master.deliveries._all[lost[1]]
    net.unknown = [(2, 0, 2)]
    net.lanes = [OutLane(lane) for lane in LANES]  # a copy from before the second term takes over
    net.begin_term(3)
    del net.past[2]
    net.start_master()
    net.run(1)
    new = net.broadcast(b"new").id
    net.nodes.append(away)
    net.run(10, until=lambda: away.log[-1:] == [new])
    assert away.log == [first, new]
    assert away.passed == [Passed(lost[0], 2, Told.GAP)]
    assert all((node.log, node.passed) == ([first, *lost, new], []) for node in net.nodes[:2])


def test_a_node_that_has_more_than_the_copy_has_its_word_taken_up_to_where_that_ends() -> None:
    net = enrolled(2, seed=413)
    net.lose = lambda _data, up: up  # no receipt ever comes
    first, second = net.broadcast(b"first").id, net.broadcast(b"second").id
    net.run(1)
    for lane in net.lanes:
        lane.digests, lane.chains = lane.digests[:1], lane.chains[:1]
    net.master.deliveries._all.pop(second)
    net.unknown = [(1, 0, 2)]
    net.lose = lambda _data, _up: False
    net.begin_term(2)
    net.run(2)
    assert [done.message for done in net.completed] == [first]
    assert all(node.log == [first, second] for node in net.nodes)


def test_a_node_that_starts_again_in_the_old_term_still_gets_it_all() -> None:
    net = enrolled(2, seed=414)
    away, sent = away_for(net, [b"one", b"two"])
    net.begin_term(2)
    net.lose = lambda data, up: not up and read_front(data).kind is Kind.MESSAGE
    net.nodes.append(away)
    net.run(2)
    assert (terms_of(away), away.log) == ([1, 2], [])
    away.start()
    net.lose = lambda _data, _up: False
    net.run(10, until=lambda: terms_of(away) == [2, 2])
    assert away.log == sent


def test_the_numbers_of_a_term_that_was_passed_over_are_not_asked_for_in_the_next() -> None:
    net = enrolled(1, seed=417)
    node = net.nodes[0]
    net.lose = lambda data, up: not up and read_front(data).kind is Kind.TURN
    net.begin_term(2)
    for number in range(3):
        net.broadcast(b"%d" % number)
    net.run(0.2)
    net.lanes = [OutLane(lane) for lane in LANES]  # a copy from before takes over, and its welcome is heard first
    net.lose = lambda data, up: not up and read_front(data).kind is not Kind.WELCOME
    net.begin_term(3)
    net.run(10, until=lambda: node.listener.membership.term == 3)
    net.lose = lambda _data, _up: False
    net.run(5, until=lambda: terms_of(node) == [3, 3])
    before = len(net.risen)
    net.run(3)
    assert node.listener.behind == 0
    assert Kind.REQUEST not in {read_front(data).kind for data in net.risen[before:]}


def test_no_turn_is_said_before_the_receipts_of_the_old_term_are_committed() -> None:
    net = enrolled(1, seed=415)
    node = net.nodes[0]
    net.broadcast(b"one")
    net.run(1)
    net.begin_term(2)
    net.master.heard = lambda entries: None  # type: ignore[method-assign]  # noqa: ARG005 - the commit fails
    net.run(5)
    assert terms_of(node) == [1, 1]
    assert Kind.TURN not in {read_front(data).kind for data in net.sent}


@pytest.mark.parametrize("seed", range(4))
def test_take_overs_absences_and_loss_in_any_order_lose_repeat_and_disorder_nothing(seed: int) -> None:
    net = enrolled(6, seed=500 + seed, loss=0.2)
    chance, sent, away = random.Random(seed), [], []
    for _ in range(40):
        match chance.randrange(6):
            case 0:
                net.begin_term(net.term + chance.randint(1, 3))
            case 1 if len(net.nodes) > 2:
                away.append(net.nodes.pop(chance.randrange(len(net.nodes))))
            case 2 if away:
                back = away.pop()
                back.start()
                net.nodes.append(back)
            case _:
                body = net.chance.randbytes(chance.choice([10, 10, 10, 5000]))
                sent.append(net.broadcast(body, lane=chance.randrange(2)).id)
        net.run(chance.random() * 0.5)
    net.nodes += away
    net.run(60, until=lambda: all(len(node.log) == len(sent) for node in net.nodes))
    net.run(15)  # the last receipts
    for node in net.nodes:
        for lane in (0, 1):
            assert [one for one in node.log if one.lane == lane] == [one for one in sent if one.lane == lane], seed
        assert (node.passed, set(terms_of(node))) == ([], {net.term})
    assert not [one.message for one in net.master.deliveries if one.outstanding], "the master knows of every one"
