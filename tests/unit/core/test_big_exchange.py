"""Messages of more than a datagram, in memory: under loss, restarts and attack, and mixed with small ones."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from netcrier.core.master.rate import RATE_LEAST, RATE_MOST, RATE_START
from netcrier.core.pacing import REPORT_AGAIN
from netcrier.core.parity import Parity
from netcrier.errors import UsageError
from netcrier.ids import MessageId
from netcrier.wire.envelope import SealKey, chained, digest
from netcrier.wire.fragment import Fragment, encode_fragment
from netcrier.wire.header import read_front, seal_down
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import BIG_AHEAD_MAX, BODY_MAX, CATCH_UP_BYTES, CATCH_UP_LAG, MESSAGE_MAX

from tests.network import Network


def body(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def enrolled(nodes: int, seed: int, loss: float = 0.0, *, parity: bool = True) -> Network:
    code = Parity() if parity else None
    net = Network(nodes, seed, loss, parity=(code, code))
    net.run(30, until=lambda: all(node.listener.enrolled for node in net.nodes))
    return net


def able(nodes: int, seed: int, loss: float) -> Network:
    """All of them can use parity."""
    code = Parity()
    net = Network(nodes, seed, loss, parity=(code, code))
    for node in net.nodes:
        node.parity = code
        node.start()
    net.run(60, until=lambda: all(node.listener.enrolled for node in net.nodes))
    return net


def has(net: Network, sent: MessageId, expected: bytes) -> bool:
    return all(sent in node.journal and node.journal[sent].message.body == expected for node in net.nodes)


def kinds(net: Network) -> list[Kind]:
    return [read_front(data).kind for data in net.sent]


@pytest.mark.parametrize("size", [BODY_MAX, BODY_MAX + 1, 2344, 2345, 37_504, 37_505, MESSAGE_MAX])
def test_every_size_up_to_the_limit_arrives_whole(size: int) -> None:
    net = enrolled(2, seed=1)
    sent = net.broadcast(body(size))
    net.run(1, until=lambda: len(net.completed) == 1)
    assert has(net, sent.id, body(size))


def test_one_byte_more_is_refused_with_the_limit() -> None:
    net = enrolled(1, seed=2)
    with pytest.raises(UsageError, match=r"1,048,577 bytes; the limit is 1,048,576 bytes \(1 MiB\)"):
        net.broadcast(bytes(MESSAGE_MAX + 1))
    assert net.broadcast(b"next").id.sequence == 1


def test_without_loss_each_datagram_leaves_once_and_nobody_asks() -> None:
    net = enrolled(10, seed=3)
    net.run(1)
    net.sent.clear()
    net.risen.clear()
    net.broadcast(body(MESSAGE_MAX))
    net.run(1, until=lambda: len(net.completed) == 1)
    assert net.completed[0].after < 0.1
    assert kinds(net).count(Kind.FRAGMENT) == 895
    net.run(1)
    assert [read_front(data).kind for data in net.risen] == [Kind.REPORT] * 10


def test_a_path_that_loses_gets_parity_along_and_is_still_judged_by_what_it_loses() -> None:
    net = able(30, seed=12, loss=0.05)
    transfers, repaired = net.master.repair.transfers, [0]
    for number in range(4):
        sent = net.broadcast(body(MESSAGE_MAX, number))
        net.run(2)
        assert len(net.completed) == number + 1
        assert has(net, sent.id, body(MESSAGE_MAX, number))
        assert transfers.rate.loss == pytest.approx(0.06, abs=0.015)
        repaired.append(transfers.repaired)
    first, *others = [later - before for before, later in pairwise(repaired)]
    assert max(others) < first / 4


def test_a_receipt_of_what_had_lost_pieces_is_said_twice() -> None:
    net = enrolled(4, seed=13)
    net.run(1)
    net.risen.clear()
    net.lose = lambda data, to_master: not to_master and len(data) > 1000 and len(net.sent) % 9 == 0
    net.broadcast(body(50_000))
    net.run(1)
    assert [read_front(data).kind for data in net.risen].count(Kind.REPORT) == 2 * 4


def test_a_crowd_says_it_once_and_the_master_asks_for_what_is_lost() -> None:
    net = enrolled(4, seed=13)
    net.run(1)
    net.master.herald.intake.per_second = 100
    assert net.master.window > REPORT_AGAIN
    net.risen.clear()
    net.lose = lambda data, to_master: not to_master and len(data) > 1000 and len(net.sent) % 9 == 0
    net.broadcast(body(50_000))
    net.run(1)
    assert [read_front(data).kind for data in net.risen].count(Kind.REPORT) == 4


@pytest.mark.parametrize("parity", [False, True])
@pytest.mark.parametrize("loss", [0.05, 0.2, 0.4])
def test_loss_both_ways_is_repaired(loss: float, parity: bool) -> None:
    net = enrolled(10, seed=4, loss=loss, parity=parity)
    net.sent.clear()
    sent = net.broadcast(body(200_000))
    net.run(30, until=lambda: len(net.completed) == 1)
    assert has(net, sent.id, body(200_000)), "nodes with and without the code"
    assert (Kind.PARITY in kinds(net)) == parity


@pytest.mark.parametrize("bits", [RATE_LEAST, RATE_START, RATE_MOST])
@pytest.mark.parametrize("parity", [False, True])
def test_a_node_that_loses_40_percent_of_the_longest_message_is_never_refused_a_piece(
    parity: bool, bits: float
) -> None:
    net = enrolled(5, seed=16, loss=0.4, parity=parity)
    net.master.repair.transfers.rate.bits = bits
    sent = net.broadcast(body(MESSAGE_MAX))
    net.run(120, until=lambda: len(net.completed) == 1)
    assert has(net, sent.id, body(MESSAGE_MAX))
    assert net.master.refused["too many fetches"] == 0


@pytest.mark.parametrize("bits", [RATE_LEAST, RATE_START])
def test_nor_is_one_that_comes_back_and_lacks_as_much_as_is_fetched_by_udp(bits: float) -> None:
    net = enrolled(3, seed=17, loss=0.4)
    away = net.nodes.pop()
    sent = [net.broadcast(body(MESSAGE_MAX - 1, n)).id for n in range(CATCH_UP_BYTES // MESSAGE_MAX)]
    net.run(120, until=lambda: all(len(node.log) == len(sent) for node in net.nodes))
    net.master.repair.transfers.rate.bits = bits
    away.start()
    net.nodes.append(away)
    net.run(120, until=lambda: len(away.log) == len(sent))
    assert away.log == sent
    assert net.connections == 0
    assert net.master.refused["too many fetches"] == 0


def sent_again(code: Parity | None) -> int:
    """Pieces that are repaired of one message to 30 nodes at 5 % loss."""
    net = Network(30, 5, 0.05, parity=(code, code))
    for node in net.nodes:
        node.parity = code
        node.start()
    net.run(60, until=lambda: all(node.listener.enrolled for node in net.nodes))
    net.broadcast(body(300_000))
    net.run(30, until=lambda: len(net.completed) == 1)
    return net.master.repair.transfers.repaired


def test_parity_sends_less_again_than_fragments() -> None:
    assert sent_again(Parity()) < sent_again(None) / 2


def test_a_node_that_starts_again_in_the_middle_fetches_the_rest_and_repeats_nothing() -> None:
    net = enrolled(3, seed=6)
    sent = net.broadcast(body(MESSAGE_MAX))
    net.run(0.04)
    assert net.nodes[1].listener._following.intake.assembly.held > 0
    net.nodes[1].start()
    net.run(30, until=lambda: len(net.completed) == 1)
    assert has(net, sent.id, body(MESSAGE_MAX))
    assert [node.log for node in net.nodes] == [[sent.id]] * 3


def test_a_master_that_starts_again_in_the_middle_sends_the_rest() -> None:
    net = enrolled(3, seed=7)
    sent = net.broadcast(body(MESSAGE_MAX))
    net.run(0.04)
    net.start_master()
    net.run(30, until=lambda: has(net, sent.id, body(MESSAGE_MAX)))
    after = net.broadcast(body(5000, 2))
    net.run(30, until=lambda: len(net.completed) >= 1)
    assert [node.log for node in net.nodes] == [[sent.id, after.id]] * 3


@pytest.mark.parametrize("seed", range(4))
def test_small_and_big_messages_keep_the_order_of_their_lanes(seed: int) -> None:
    net = enrolled(5, seed=80 + seed, loss=0.1)
    sent: list[MessageId] = []
    for number in range(30):
        size = net.chance.choice([10, BODY_MAX, 3000, 60_000])
        sent.append(net.broadcast(body(size, number), lane=int(number % 3 == 0)).id)
        net.run(net.chance.random() * 0.02)
    net.run(60, until=lambda: len(net.completed) == 30)
    for node in net.nodes:
        for lane in (0, 1):
            assert [one for one in node.log if one.lane == lane] == [one for one in sent if one.lane == lane], seed


def test_an_urgent_message_does_not_wait_for_a_big_one() -> None:
    net = enrolled(3, seed=9)
    net.broadcast(body(MESSAGE_MAX))
    net.run(0.02)
    small, big = net.broadcast(b"now", lane=1), net.broadcast(body(20_000), lane=1)
    net.run(2, until=lambda: len(net.completed) == 3)
    assert [done.message for done in net.completed] == [small.id, big.id, MessageId(1, 0, 1)]


def test_the_chain_of_a_receipt_binds_the_body() -> None:
    net = enrolled(1, seed=10)
    one = net.broadcast(body(5000, 1))
    two = net.broadcast(body(5000, 2))
    assert one.digest != two.digest
    assert two.chain == chained(one.chain, two.digest)
    again = Network(1, seed=10)
    other = again.master.compose(0, body(5000, 3), net.now_us)
    assert (other.id, digest(other.plaintext[:-64])) != (one.id, digest(one.plaintext[:-64]))


def test_a_thief_of_the_group_key_can_slow_a_message_and_not_change_it() -> None:
    net = enrolled(2, seed=11)
    epoch, secret = net.nodes[0].membership.keys[0]
    seal, identity = SealKey(secret), MessageId(1, 0, 1)
    for number in range(3):
        for place in range(32):
            forged = encode_fragment(Fragment(identity, number, place, bytes(1172)))
            datagram = seal_down(Kind.FRAGMENT, net.group, epoch, seal, forged)
            net.inject(datagram, net.nodes[0])
    net.run(0.01)
    sent = net.broadcast(body(100_000))
    net.run(10, until=lambda: len(net.completed) == 1)
    assert has(net, sent.id, body(100_000))
    late = encode_fragment(Fragment(identity, 0, 0, b"late"))
    net.inject(seal_down(Kind.FRAGMENT, net.group, epoch, seal, late), net.nodes[0])
    net.run(0.01)
    assert net.nodes[0].listener.refused["duplicate"] >= 1


def test_a_big_message_far_beyond_the_mark_waits_for_what_lacks_before() -> None:
    net = enrolled(1, seed=12)
    sent = [net.broadcast(b"small").id for _ in range(BIG_AHEAD_MAX)]
    node = net.nodes[0]
    net.run(1)
    net.lose = lambda data, up: not up and read_front(data).kind is Kind.MESSAGE and len(data) < 190
    sent += [net.broadcast(b"lost").id for _ in range(BIG_AHEAD_MAX)]
    sent.append(net.broadcast(body(5000)).id)
    net.run(2)
    assert node.log == sent[:BIG_AHEAD_MAX]
    assert node.listener.refused["too far ahead"] >= 1
    assert sent[-1] not in node.journal
    net.lose = lambda _data, _up: False
    net.run(10, until=lambda: len(node.log) == len(sent))
    assert node.log == sent


def test_a_node_far_behind_catches_up_with_big_messages_too() -> None:
    net = enrolled(2, seed=13)
    away = net.nodes.pop()
    sent = [net.broadcast(body(3000, n) if n % 50 == 0 else b"x").id for n in range(CATCH_UP_LAG + 10)]
    net.run(20, until=lambda: len(net.nodes[0].log) == len(sent))
    away.start()
    net.nodes.append(away)
    net.run(20, until=lambda: len(away.log) == len(sent))
    assert away.log == sent
    assert net.connections == 1
    assert away.journal[sent[50]].message.body == body(3000, 50)


@pytest.mark.parametrize("no_tcp", [False, True])
def test_a_node_that_lacks_few_and_big_messages_catches_up_where_it_can_and_fetches_them_where_not(
    no_tcp: bool,
) -> None:
    net = enrolled(2, seed=14)
    net.no_tcp = no_tcp
    away = net.nodes.pop()
    sent = [net.broadcast(body(MESSAGE_MAX, n)).id for n in range(CATCH_UP_BYTES // MESSAGE_MAX + 1)]
    net.run(20, until=lambda: len(net.nodes[0].log) == len(sent))
    away.start()
    net.nodes.append(away)
    net.run(60, until=lambda: len(away.log) == len(sent))
    assert away.log == sent
    assert net.connections == (0 if no_tcp else 1)
    assert (net.master.stock.caught_up == len(sent)) is not no_tcp
    fetched = kinds(net).count(Kind.FRAGMENT) > len(sent) * (MESSAGE_MAX // 1172) * 3 // 2
    assert fetched is no_tcp


def test_loss_of_big_messages_leads_to_no_connection() -> None:
    net = enrolled(3, seed=15, loss=0.2)
    before = net.connections
    sent = [net.broadcast(body(MESSAGE_MAX, n)).id for n in range(2)]
    sent += [net.broadcast(body(MESSAGE_MAX, 9), lane=1).id]
    net.run(60, until=lambda: len(net.completed) == len(sent))
    assert len(net.completed) == len(sent)
    assert net.connections == before == 0


def test_who_was_sent_pieces_alone_is_not_remembered_beyond_its_receipt() -> None:
    net = enrolled(4, seed=41, loss=0.05, parity=False)
    sent = net.broadcast(body(MESSAGE_MAX)).id
    delivery = net.master.deliveries.get(sent)
    assert delivery
    net.run(30, until=lambda: bool(delivery.served))
    assert delivery.served
    net.run(30, until=lambda: not delivery.undelivered)
    net.run(1)
    assert not delivery.served
