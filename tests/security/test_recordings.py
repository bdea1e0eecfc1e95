"""Whoever has recorded all traffic gains nothing by sending it again, after a rotation or a restart either."""

from __future__ import annotations

import pytest
from netcrier.core.delivery import State
from netcrier.core.pacing import ANNOUNCED
from netcrier.wire.header import (
    read_front,
)
from netcrier.wire.kinds import Kind

from tests.network import Network
from tests.theft import Theft, strike


def test_what_is_recorded_under_an_older_key_gives_no_orders_after_a_rotation_nor_after_a_restart() -> None:
    theft = Theft(seed=84)
    net = theft.net
    orders = [data for data in net.sent if read_front(data).kind in (Kind.BEACON, Kind.SOLICIT)]
    net.rotate()
    net.run(ANNOUNCED + 3)
    theft.victim.start()
    net.run(2)
    for data in orders:
        strike(theft, data)
    assert theft.victim.listener.refused["old epoch"] == len(orders)
    assert theft.victim.membership.keys[0][0] == 2


@pytest.mark.parametrize("side", ["master", "node", "both"])
def test_a_whole_recording_sent_again_after_a_restart_changes_nothing(side: str) -> None:
    theft = Theft(seed=85)
    net, victim = theft.net, theft.victim
    down, up = list(net.sent), list(net.risen)
    if side != "node":
        net.start_master()
    if side != "master":
        victim.start()
    net.run(3)
    log, rows = list(victim.log), dict(net.rows)
    for data in down:
        if read_front(data).kind in (Kind.WELCOME, Kind.BEACON, Kind.MESSAGE, Kind.SOLICIT):
            strike(theft, data)
    before = net.master.refused.total()
    hellos = 0
    for data in up:
        hellos += read_front(data).kind is Kind.HELLO
        net.inject(data, None, ("10.9.9.9", 4444))
    net.run(2)
    assert victim.log == log
    assert net.master.refused.total() - before >= len(up) - hellos
    for identity, row in rows.items():
        assert (net.rows[identity].address, net.rows[identity].boot) == (row.address, row.boot)
    sent = net.broadcast(b"goes on")
    net.run(2)
    assert victim.log == [*log, sent.id]


@pytest.mark.parametrize("wait", [0.0, 2.0])
def test_a_recorded_hello_of_an_earlier_start_does_not_bring_its_tags_back(wait: float) -> None:
    net = Network(1, seed=86)
    node = net.nodes[0]
    node.tags = (("role", "web"),)
    node.start()
    net.run(5, until=lambda: node.listener.enrolled)
    net.run(1)
    node.tags = (("role", "db"),)
    node.start()
    said = [data for data in net.risen if read_front(data).kind is Kind.HELLO]
    net.lose = lambda data, up: up and read_front(data).kind is Kind.REPORT  # whoever replays is quicker than it
    net.run(5, until=lambda: net.rows[node.listener.id].tags == node.tags)
    net.lose = lambda _data, _up: False
    net.run(wait)
    for data in said:
        net.inject(data, None)
    net.run(2)
    assert net.rows[node.listener.id].tags == node.tags
    sent = net.broadcast(b"for it", to="role=db")
    net.run(1)
    assert node.log == [sent.id]
    assert [receipt.message for receipt in net.receipts if receipt.state is State.DELIVERED] == [sent.id]
