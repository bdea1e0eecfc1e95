"""The master's machine where the exchange does not show it: limits, numbers taken back, what is forgotten."""

from __future__ import annotations

from netcrier.core.delivery import Delivery
from netcrier.core.events import Received
from netcrier.core.master.deliveries import REMEMBERED
from netcrier.core.pacing import GATHER_NEXT
from netcrier.ids import MessageId
from netcrier.wire.header import UpHeader, seal_up, up_key
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import (
    BODY_MAX,
    DATAGRAM_MAX,
    REPAIRS_MAX,
    REPAIRS_PER_ROUND,
    REQUEST_MESSAGES_MAX,
    REQUESTED_PER_SECOND,
)
from netcrier.wire.report import Request, encode_request

from tests.network import GROUP, Network


def enrolled() -> Network:
    net = Network(1, seed=31)
    net.run(5, until=lambda: net.nodes[0].listener.enrolled)
    net.run(1)
    return net


def ask(net: Network, counter: int, first: int, count: int, term: int = 1) -> None:
    """A request of the node, straight to the master."""
    node = net.nodes[0]
    boots = (1, net.boot, node.boot)
    shared = node.key.agree(net.agreement.public)
    key = up_key(shared, Kind.REQUEST, GROUP, net.master.id, boots, node.listener.id)
    plaintext = encode_request(Request(counter, term, 0, ((first, count),)))
    data = seal_up(UpHeader(Kind.REQUEST, GROUP, node.listener.id, node.boot), key, plaintext)
    net.master.receive(Received(data, node.address, net.now, net.now_us))


def test_the_greatest_body_of_one_datagram_fits_it() -> None:
    net = enrolled()
    net.broadcast(b"b" * BODY_MAX)
    net.run(1)
    assert len(net.completed) == 1
    assert max(len(data) for data in net.sent) <= DATAGRAM_MAX


def test_a_number_whose_commit_failed_is_used_again() -> None:
    net = enrolled()
    lost = net.master.compose(0, b"lost", net.now_us)
    net.master.withdraw(lost)
    sent = net.broadcast(b"kept")
    net.run(1)
    assert sent.id == lost.id
    assert net.nodes[0].log == [sent.id]


def test_1024_messages_are_gathered_for_repetition_and_64_repeated_a_round() -> None:
    net = enrolled()
    for number in range(REPAIRS_MAX + 10):
        net.shelf.kept[MessageId(1, 0, number + 1)] = net.master.compose(0, b"", net.now_us).plaintext
    for number in range(REPAIRS_MAX // REQUEST_MESSAGES_MAX):
        ask(net, 1000 + number, number * REQUEST_MESSAGES_MAX + 1, REQUEST_MESSAGES_MAX)
    assert net.master.refused.total() == 0
    ask(net, 2000, REPAIRS_MAX + 1, 1)
    assert net.master.refused == {"too many repairs": 1}
    now = net.master.timer
    for round_ in (1, 2):
        net.master.handle_timer(now, net.now_us)
        assert net.master.repair.repeated == round_ * REPAIRS_PER_ROUND
        now += GATHER_NEXT


def test_a_node_that_asks_without_end_has_its_share_and_the_others_theirs() -> None:
    net = Network(2, seed=33)
    net.run(5, until=lambda: all(node.listener.enrolled for node in net.nodes))
    for number in range(REQUEST_MESSAGES_MAX):
        net.shelf.kept[MessageId(1, 0, number + 1)] = net.master.compose(0, b"", net.now_us).plaintext
    for number in range(REQUESTED_PER_SECOND // REQUEST_MESSAGES_MAX):
        ask(net, 1000 + number, 1, REQUEST_MESSAGES_MAX)
    assert net.master.refused["too many requests"] == 0
    ask(net, 2000, 1, 1)
    ask(net, 2001, 1 << 40, REQUEST_MESSAGES_MAX)  # nothing that there is
    assert net.master.refused["too many requests"] == 2
    net.nodes.reverse()
    ask(net, 1000, 1, 1)
    net.nodes.reverse()
    net.now += 1
    ask(net, 2002, 1, REQUEST_MESSAGES_MAX)
    assert net.master.refused["too many requests"] == 2


def test_a_request_outside_the_store_asks_for_nothing() -> None:
    net = enrolled()
    net.broadcast(b"one")
    ask(net, 1000, 2, 200)
    net.run(1)
    assert (net.master.repair.repeated, net.master.refused.total()) == (0, 0)
    ask(net, 1001, 1, 1, term=2)
    assert net.master.refused == {"other term": 1}


def test_a_replayed_request_is_refused() -> None:
    net = enrolled()
    ask(net, 1000, 1, 1)
    ask(net, 1000, 1, 1)
    assert net.master.refused == {"replayed": 1}


def test_messages_of_old_are_forgotten_also_where_a_node_stays_away() -> None:
    net = enrolled()
    for number in range(10_010):
        net.master.restore(Delivery(MessageId(1, 0, number + 1), [0], 0.0), net.now)
    assert len(list(net.master.deliveries)) == len(list(net.master.deliveries.open)) == REMEMBERED == 10_000


def test_a_message_is_complete_when_the_last_node_that_lacked_it_is_forgotten() -> None:
    net = Network(2, seed=32)
    net.run(5, until=lambda: len(net.master.roster) == 2 and all(node.listener.enrolled for node in net.nodes))
    away = net.nodes.pop()
    sent = net.broadcast(b"to whom it may concern")
    net.run(1)
    assert net.completed == []
    node = net.master.roster.get(away.listener.id)
    assert node
    net.master.forget(node)
    net.run(0.1)
    assert [(done.message, done.expected) for done in net.completed] == [(sent.id, 1)]
    assert 0 < net.completed[0].after < 1
