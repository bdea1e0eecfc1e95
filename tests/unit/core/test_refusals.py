"""Master and nodes in memory: what is forged, recorded, changed or forked is refused and counted."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from netcrier.core.events import Pin, Received
from netcrier.core.master.outbox import OutLane
from netcrier.errors import DecodeError
from netcrier.wire.envelope import Signer
from netcrier.wire.header import UP_SIZE, UpHeader, read_front, seal_up, up_key
from netcrier.wire.kinds import Kind
from netcrier.wire.report import LaneReport, Report, encode_report

from tests.network import MASTER, Network, enrolled, no_messages, nothing


def test_a_recorded_catch_up_brings_nothing() -> None:
    net = enrolled(1, seed=13)
    node = net.nodes[0].listener
    wanted = node._following.asking._connection(net.now)
    net.master.catch_up(Received(wanted.ask, MASTER, net.now, net.now_us))
    with pytest.raises(DecodeError, match="replayed"):
        net.master.catch_up(Received(wanted.ask, MASTER, net.now, net.now_us))


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
    net.master.me = net.master.voice.me = replace(net.master.me, signer=Signer(bytes(32)))
    forged = net.master.compose(0, b"forged", net.now_us)
    net.inject(net.master.voice.sealed(Kind.MESSAGE, forged.plaintext), net.nodes[0])
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
    assert net.nodes[0].pin == Pin(net.master.me.group, net.signer.public, net.agreement.public, "", "first-use")


def test_garbage_is_counted_and_changes_nothing() -> None:
    net = enrolled(1, seed=11)
    for data in (b"", b"NC", b"NC\x01\x09" + bytes(30), b"XX" + bytes(40), bytes(2000), net.sent[-1][:-1]):
        net.inject(data, net.nodes[0])
        net.inject(data, None)
    net.run(0.1)
    assert sum(net.nodes[0].listener.refused.values()) >= 6
    assert sum(net.master.refused.values()) >= 6


def test_a_stolen_node_cannot_answer_for_another() -> None:
    net = enrolled(2, seed=15)
    thief, victim = net.nodes
    net.lose = lambda data, up: up and data[12:28] == victim.listener.id
    sent = net.broadcast(b"x")
    net.run(1)
    lane = LaneReport(0, 1, 1, 1, sent.chain)
    shared = thief.key.agree(net.agreement.public)
    for name, boot in [(victim.listener.id, victim.boot), (victim.listener.id, 99)]:
        key = up_key(shared, Kind.REPORT, net.group, net.master.id, (1, net.boot, boot), name)
        header = UpHeader(Kind.REPORT, net.group, name, boot)
        net.inject(seal_up(header, key, encode_report(Report(1000, (lane,)))), None, thief.address)
    net.run(1)
    assert net.master.refused["bad seal"] == 2
    index = net.rows[victim.listener.id].index
    delivery = net.master.deliveries.get(sent.id)
    assert delivery
    assert delivery.outstanding == {index}
    assert net.rows[victim.listener.id].address != thief.address[0]


def test_a_report_recorded_and_sent_again_is_refused() -> None:
    net = enrolled(1, seed=16)
    net.broadcast(b"x")
    net.run(1)
    recorded = [data for data in net.risen if read_front(data).kind is Kind.REPORT][-1]
    net.inject(recorded, None, ("10.9.9.9", 4444))
    net.run(0.1)
    assert net.master.refused["replayed"] == 1
    net.nodes[0].start()
    net.broadcast(b"y")
    net.run(2)
    net.inject(recorded, None, ("10.9.9.9", 4444))
    net.run(0.1)
    assert net.master.refused["old boot"] == 1
    assert net.rows[net.nodes[0].listener.id].address == net.nodes[0].address[0]


def test_a_changed_receipt_is_refused() -> None:
    net = enrolled(1, seed=17)
    net.broadcast(b"x")
    net.run(1)
    recorded = bytearray(net.risen[-1])
    recorded[UP_SIZE + 20] ^= 1
    net.inject(bytes(recorded), None)
    net.run(0.1)
    assert net.master.refused["bad seal"] == 1


def test_a_master_restored_from_an_old_copy_is_refused_by_its_boot_number() -> None:
    net = enrolled(2, seed=19)
    net.start_master()
    net.run(3)
    net.boot = 0
    net.start_master()
    net.broadcast(b"from the past")
    before = [node.listener.refused["old boot"] for node in net.nodes]
    net.run(3)
    for node, refused in zip(net.nodes, before, strict=True):
        assert node.listener.refused["old boot"] > refused
        assert node.listener.membership.boot == 2


def test_a_message_with_another_content_under_a_known_number_is_a_conflict() -> None:
    net = enrolled(1, seed=20)
    net.lose = no_messages
    net.broadcast(b"first")
    net.run(0)
    net.lose = nothing
    held = net.broadcast(b"second")
    net.run(0.0005)
    net.lanes[0].withdraw()
    forked = net.master.compose(0, b"forked", net.now_us)
    assert forked.id == held.id
    net.inject(net.master.voice.sealed(Kind.MESSAGE, forked.plaintext), net.nodes[0])
    net.run(0.0005)
    assert net.nodes[0].listener.refused["conflict"] == 1
