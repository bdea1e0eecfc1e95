"""The node's machine where the exchange does not show it: what it pins, when nothing is due, what one report holds."""

from __future__ import annotations

import pytest
from netcrier.core.delivery import State
from netcrier.core.events import Received
from netcrier.core.node.batch import Lane
from netcrier.core.node.greeting import Self
from netcrier.core.node.kept import Kept
from netcrier.core.node.listener import Listener
from netcrier.core.outcomes import Untold
from netcrier.core.pacing import receipt_slot
from netcrier.ids import GroupId, MessageId
from netcrier.wire.beacon import Beacon, Marks, encode_beacon
from netcrier.wire.envelope import AgreementKey, Digest, SealKey, Signer
from netcrier.wire.limits import DATAGRAM_MAX, HELD_MAX, STRANGERS_PER_SECOND
from netcrier.wire.report import Outcome, Told

from tests.network import GROUP, MASTER, Network

NODE = ("10.0.1.1", 12345)


def stranger() -> Listener:
    """A node that has heard nothing yet."""
    me = Self(AgreementKey(b"n" * 32), 1, bytes(16), "node")
    return Listener(me, None, Kept(), lambda: 0.5, lambda size: b"e" * size)


def beacon(agreement: bytes, signer: Signer, group: GroupId = GROUP) -> bytes:
    clear = Beacon(group, 1, signer.public, agreement, 1, 1, 1, True, 12346, ())
    return encode_beacon(clear, Marks((), 2000, 10_000, 0, "lab"), SealKey(b"k" * 32), signer)


def enrolled() -> Network:
    net = Network(1, seed=21)
    net.run(5, until=lambda: net.nodes[0].listener.enrolled)
    net.run(1)
    return net


def test_the_first_master_heard_is_pinned_and_another_is_refused() -> None:
    node = stranger()
    first, second = Signer(b"1" * 32), Signer(b"2" * 32)
    key = AgreementKey(b"m" * 32).public
    node.receive(Received(beacon(key, first), MASTER, 1.0, 0))
    node.receive(Received(beacon(key, second), MASTER, 1.0, 0))
    node.receive(Received(beacon(key, second, GroupId(b"another!")), MASTER, 1.0, 0))
    assert node.pin
    assert node.pin.signing_key == first.public
    assert node.refused == {"other master": 1, "other group": 1}


def test_a_master_whose_agreement_key_has_low_order_is_not_pinned() -> None:
    node = stranger()
    node.receive(Received(beacon(bytes(32), Signer(b"1" * 32)), MASTER, 1.0, 0))
    assert node.pin is None
    assert node.timer is None
    assert node.refused == {"bad key": 1}


def test_twenty_strangers_a_second_are_verified_and_no_more() -> None:
    node = stranger()
    forged = bytearray(beacon(AgreementKey(b"m" * 32).public, Signer(b"1" * 32)))
    forged[-1] ^= 1
    for _ in range(STRANGERS_PER_SECOND + 5):
        node.receive(Received(bytes(forged), MASTER, 1.0, 0))
    assert node.refused == {"bad signature": STRANGERS_PER_SECOND, "too many strangers": 5}


def test_nothing_is_due_at_a_node_that_does_not_know_where_to_answer() -> None:
    net = enrolled()
    node = net.nodes[0]
    sent = [net.broadcast(b"%d" % number) for number in range(3)]
    node.start()
    for datagram in net.master.datagrams_to_send()[1:]:
        node.listener.receive(Received(datagram.data, MASTER, net.now, net.now_us))
    assert node.listener.timer is None
    net.run(5)
    assert node.log == [message.id for message in sent]


def test_a_report_of_full_lanes_fits_one_datagram() -> None:
    net = enrolled()
    node = net.nodes[0]
    digest = Digest(bytes(16))
    held = tuple((number, digest) for number in range(9, 9 + HELD_MAX // 2))
    node.lanes = tuple(Lane(lane, 1, 0, held=held) for lane in (0, 1))
    node.start()
    net.run(3)
    assert node.listener.refused.total() == 0
    assert max(len(data) for data in net.risen) <= DATAGRAM_MAX
    assert net.master.refused.total() == 0


def test_a_journal_that_refuses_is_not_overrun() -> None:
    net = enrolled()
    listener = net.nodes[0].listener
    sent = net.broadcast(b"x")
    for datagram in net.master.datagrams_to_send():
        listener.receive(Received(datagram.data, MASTER, net.now, net.now_us))
    batch = listener.take_batch()
    assert batch
    listener.failed(batch, net.now)
    listener.handle_timer(net.now + 0.9, net.now_us)
    assert listener.received == 0
    net.run(5)
    assert net.nodes[0].log == [sent.id]


def test_a_late_solicitation_for_another_node_is_not_answered() -> None:
    net = enrolled()
    net.master.repair.solicit(0, 0, {5})
    (datagram,) = net.master.datagrams_to_send()
    net.nodes[0].listener.receive(Received(datagram.data, MASTER, net.now, net.now_us))
    assert net.nodes[0].listener.refused["not asked"] == 1


@pytest.mark.parametrize(("waited_us", "late"), [(0, True), (10**6, False), (-(10**6), True)])
def test_the_slot_of_a_receipt_counts_from_the_arrival_of_the_message(waited_us: int, late: bool) -> None:
    net = Network(1, seed=44)
    net.run(5, until=lambda: net.nodes[0].listener.enrolled)
    net.run(1)
    listener = net.nodes[0].listener
    net.master.compose(0, b"before", net.now_us)
    composed = net.broadcast(b"x")
    data = net.master.datagrams_to_send()[-1].data
    listener.receive(Received(data, MASTER, net.now, net.now_us))
    batch = listener.take_batch()
    assert batch
    listener.committed(batch, net.now, net.now_us + waited_us)
    slot = receipt_slot(listener.id, composed.id.sequence, 0.002)
    assert listener._following.reporter.timer == pytest.approx(net.now + (slot if late else 0.0))


def test_a_node_that_joins_another_group_tells_it_nothing_of_the_former_and_comes_back_where_it_was() -> None:
    here, there = enrolled(), Network(1, seed=45, group=GroupId(b"another!"))
    there.run(5, until=lambda: there.nodes[0].listener.enrolled)
    node, listener = here.nodes[0], here.nodes[0].listener
    sent = [here.broadcast(b"%d" % number).id for number in range(2)]
    here.run(1)
    pin, membership, lanes = listener.pin, listener.membership, listener.inbox.lanes
    assert pin
    refused = Untold(1, Outcome(0, 1, Told.REFUSED, 1))
    listener.tell([refused], here.now)

    other = there.nodes[0].listener.pin
    assert other
    node.journal, node.log, there.nodes, there.now = {}, [], [node], here.now
    listener.join(other, there.now, Kept())
    there.run(5, until=lambda: node.listener.enrolled)
    there.run(1)
    listener.delivered(MessageId(1, 0, 99), there.now, here.master.id)  # the log was full when it left
    assert listener._following.reporter.report(1, listener.inbox.lanes, (), there.now).lanes[0].delivered == 0
    new = there.broadcast(b"there").id
    there.run(15)
    assert node.log == [new]
    assert {receipt.state for receipt in there.receipts} == {State.DELIVERED}

    node.journal, node.log, node.untold, here.now = {}, [], {refused: None}, there.now
    listener.join(pin, here.now, Kept(membership, lanes, (refused,)))
    sent.append(here.broadcast(b"back").id)
    here.run(15)
    assert (node.log, node.untold) == (sent[2:], {})
    assert here.receipts[-1].message == sent[2]
