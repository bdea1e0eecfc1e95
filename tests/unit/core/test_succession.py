"""Of several masters of one identity one speaks: a copy listens, asks and is told, and nobody else is believed."""

from __future__ import annotations

import random

import pytest
from netcrier.core.events import Audience, Datagram, NodeRow, Received
from netcrier.core.master.keyring import Keyring
from netcrier.core.master.outbox import OutLane
from netcrier.core.master.speaker import Speaker
from netcrier.core.master.tenure import LISTEN_FOR
from netcrier.core.master.voice import Identity
from netcrier.core.node.telling import TELL_EVERY
from netcrier.core.standing import Standing, StandingChanged
from netcrier.errors import UsageError
from netcrier.ids import LANES
from netcrier.wire.header import read_front
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import TALLIES_PER_SECOND

from tests.network import MASTER, Network, Shelf, enrolled


def copy_of(net: Network, term: int, boot: int, *, listen: bool = True, rows: bool = True) -> Speaker:
    """Another master from the same identity, with an empty store of the term."""
    me = Identity(net.group, "lab", net.signer, net.agreement, term, boot, 12346)
    lanes = [OutLane(lane) for lane in LANES]
    other = Speaker(me, Keyring(net.keys), lanes, Shelf(), random.Random(9).randbytes, listen=listen)
    for row in net.rows.values() if rows else ():
        other.enlist(row)
    return other


def tell(net: Network, other: Speaker) -> list[Datagram]:
    """What the other sends now; the nodes hear it and answer."""
    other.handle_timer(net.now, net.now_us)
    said = other.datagrams_to_send()
    for datagram in said:
        if datagram.to is Audience.SHARED:
            for node in net.nodes:
                net.inject(datagram.data, node, ("10.0.0.2", 12346))
    before = len(net.risen)
    net.run(1.0)
    for data in net.risen[before:]:
        other.receive(Received(data, ("10.0.1.1", 12345), net.now, net.now_us))
    return said


def test_a_copy_asks_hears_the_nodes_and_stays_silent() -> None:
    net = enrolled(3, seed=32)
    net.broadcast(b"x")
    net.run(2)
    other = copy_of(net, 1, 1)
    said = tell(net, other)
    assert {read_front(datagram.data).kind for datagram in said} == {Kind.BEACON}
    assert {datagram.to for datagram in said} == {Audience.SINGLE, Audience.SHARED, Audience.MASTERS}
    assert other.tenure.told == 3
    assert other.tenure.unknown == [(1, 0, 1)]
    other.handle_timer(net.now + LISTEN_FOR, net.now_us)
    assert other.tenure.standing is Standing.STANDBY
    with pytest.raises(UsageError, match="does not speak"):
        other.compose(0, b"no", net.now_us)
    other.handle_timer(net.now + 60, net.now_us)
    assert other.datagrams_to_send() == []
    assert all((node.listener.membership.term, node.listener.membership.boot) == (1, 1) for node in net.nodes)


def test_a_question_is_answered_once_however_often_it_is_replayed() -> None:
    net = enrolled(1, seed=33)
    other = copy_of(net, 1, 9)
    said = tell(net, other)
    (question,) = [datagram.data for datagram in said if datagram.to is Audience.SHARED]
    before = len(net.risen)
    for _ in range(50):
        net.inject(question, net.nodes[0])
        net.run(TELL_EVERY / 5)
    tallies = [data for data in net.risen[before:] if read_front(data).kind is Kind.TALLY]
    assert 2 <= len(tallies) <= 12


def test_strangers_are_not_believed_and_a_flood_of_tallies_is_bounded() -> None:
    net = enrolled(2, seed=34)
    known = net.rows.popitem()[1]
    other = copy_of(net, 1, 1)
    tell(net, other)
    assert (other.tenure.told, other.refused["unknown node"]) == (1, 1)
    net.rows[known.id] = known
    (tally,) = [data for data in net.risen if read_front(data).kind is Kind.TALLY][:1]
    net.now += 1
    for _ in range(TALLIES_PER_SECOND):
        other.receive(Received(tally, ("10.0.1.1", 12345), net.now, net.now_us))
    assert other.refused["too many strangers"] == 0
    for _ in range(50):
        other.receive(Received(tally, ("10.0.1.1", 12345), net.now, net.now_us))
    assert other.refused["too many strangers"] == 50


def test_a_master_that_has_lost_its_nodes_hears_any_that_holds_its_key() -> None:
    net = enrolled(2, seed=35)
    other = copy_of(net, 1, 1, rows=False)
    tell(net, other)
    assert other.tenure.told == 2


def test_a_node_hands_a_replaced_master_the_word_that_replaces_it() -> None:
    net = enrolled(2, seed=36)
    old = net.master
    net.begin_term(2)
    net.run(1)
    old.handle_timer(net.now, net.now_us)
    (beacon,) = [datagram.data for datagram in old.datagrams_to_send() if datagram.to is Audience.SHARED]
    before = len(net.risen)
    net.inject(beacon, net.nodes[0])
    net.run(0.01)
    proofs = [data for data in net.risen[before:] if read_front(data).kind is Kind.BEACON]
    assert len(proofs) == 1
    assert net.nodes[0].listener.refused["old boot"] == 1
    old.receive(Received(proofs[0], net.nodes[0].address, net.now, net.now_us))
    assert old.tenure.standing is Standing.SUPERSEDED
    events = iter(old.next_event, None)
    assert [event.standing for event in events if isinstance(event, StandingChanged)] == [Standing.SUPERSEDED]
    old.receive(Received(net.risen[0], net.nodes[0].address, net.now, net.now_us))
    assert old.refused["not speaking"] == 1


def test_who_speaks_answers_a_copy_that_asks() -> None:
    net = enrolled(1, seed=37)
    other = copy_of(net, 1, 2)
    other.handle_timer(net.now, net.now_us)
    (question,) = [datagram.data for datagram in other.datagrams_to_send() if datagram.to is Audience.MASTERS]
    net.master.datagrams_to_send()
    net.master.receive(Received(question, ("10.0.0.2", 12346), net.now, net.now_us))
    said = net.master.datagrams_to_send()
    assert [datagram.to for datagram in said][-2:] == [Audience.MASTERS, ("10.0.0.2", 12346)]
    other.receive(Received(said[-1].data, MASTER, net.now, net.now_us))
    assert other.tenure.rival
    assert (other.tenure.rival.address, other.tenure.rival.boot) == (MASTER, 1)


def test_a_row_of_an_earlier_term_begins_at_the_terms_beginning() -> None:
    net = enrolled(1, seed=38)
    for number in range(4):
        net.broadcast(b"%d" % number)
    net.run(1)
    net.begin_term(2)
    first = net.broadcast(b"new").id
    node = net.nodes[0]
    node.membership = node.membership.__class__()
    node.lanes = ()
    node.start()
    net.run(5)
    row: NodeRow = net.rows[node.listener.id]
    assert row.starts == ((0, 2, 0), (1, 2, 0))
    assert node.log[-1] == first


def test_its_own_beacons_that_come_back_cost_no_check_and_stop_nothing() -> None:
    net = enrolled(1, seed=39)
    said = [data for data in net.sent if read_front(data).kind is Kind.BEACON][-40:]
    for data in said:
        net.master.receive(Received(data, MASTER, net.now, net.now_us))
    assert net.master.tenure.speaking
    assert net.master.refused["too many strangers"] == 0
    other = copy_of(net, 1, 1)
    other.handle_timer(net.now, net.now_us)
    question = other.datagrams_to_send()[0].data
    other.receive(Received(question, MASTER, net.now, net.now_us))
    assert other.tenure.rival is None
