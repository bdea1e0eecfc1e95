"""Nodes that the shared carriers do not reach are found by what they report, served one by one, and tried again."""

from __future__ import annotations

from netcrier.core.events import Address, NodeRow
from netcrier.core.master.beacon_clock import BeaconClock
from netcrier.core.master.reach import CALL_AFTER, CALLS, CALLS_AT_ONCE, STALE, Reach
from netcrier.core.master.roster import Node, Roster
from netcrier.ids import NodeId
from netcrier.wire.limits import SINGLES_MAX
from netcrier.wire.report import Report

from tests.network import Network, enrolled


def singles(net: Network) -> tuple[Address, ...]:
    return net.master.herald.reach.targets


def chatter(net: Network, seconds: int) -> None:
    """A message a second: each node reports as often."""
    for number in range(seconds):
        net.broadcast(b"%d" % number)
        net.run(1)


def test_a_node_that_hears_no_broadcast_any_more_is_served_one_by_one() -> None:
    net = enrolled(3, seed=40)
    net.run(STALE)
    deaf = net.nodes[1]
    net.unreached.append(deaf)
    chatter(net, 12)
    assert singles(net) == (deaf.address,)
    row = net.rows[deaf.listener.id]
    assert row.single_us > 0
    sent = net.broadcast(b"now").id
    net.run(0.02)
    assert deaf.log[-1] == sent, "it comes at once, not as a repair"


def test_it_is_tried_by_broadcast_with_every_beacon_and_taken_out_when_that_reaches_it() -> None:
    net = enrolled(3, seed=41)
    net.run(STALE)
    net.unreached.append(net.nodes[1])
    chatter(net, 12)
    net.unreached.clear()
    chatter(net, 6)
    assert singles(net) == ()
    assert net.rows[net.nodes[1].listener.id].single_us == 0


def test_loss_is_no_reason() -> None:
    net = enrolled(10, seed=42)
    lose = net.lose
    net.lose = lambda data, up: lose(data, up) or net.chance.random() < 0.2
    chatter(net, 60)
    assert singles(net) == ()


def test_a_new_boot_reaches_whom_broadcast_does_not() -> None:
    net = enrolled(2, seed=43)
    net.run(STALE)
    deaf = net.nodes[1]
    net.unreached.append(deaf)
    chatter(net, 12)
    net.start_master()
    net.run(1)
    assert (deaf.listener.membership.boot, singles(net)) == (net.boot, (deaf.address,))


def test_after_a_start_silent_nodes_are_called_at_the_addresses_in_the_store() -> None:
    net = enrolled(2, seed=44)
    net.run(1)
    deaf = net.nodes[1]
    net.unreached.append(deaf)
    net.start_master()
    net.run(CALL_AFTER / 2)
    assert deaf.listener.membership.boot == net.boot - 1
    net.run(CALL_AFTER)
    assert deaf.listener.membership.boot == net.boot


def test_calls_are_few_and_end() -> None:
    nodes = CALLS_AT_ONCE + 4
    net = enrolled(nodes, seed=45)
    net.run(1)
    net.start_master()
    reach, roster = net.master.herald.reach, net.master.roster
    assert reach.calls(net.now) == []
    later = net.now + CALL_AFTER
    assert len(reach.calls(later)) == CALLS_AT_ONCE
    for _ in range(2 * CALLS * nodes):
        reach.calls(later)
    assert {node.called for node in roster} == {CALLS}
    assert reach.calls(later) == []


def test_no_more_than_the_limit_are_served_one_by_one_and_the_others_are_counted() -> None:
    roster = Roster()
    reach = Reach(roster, BeaconClock())
    assert reach.calls(0.0) == []
    deaf = Report(1, (), held_us=int(STALE * 1e6))
    for index in range(SINGLES_MAX + 2):
        identity = NodeId(index.to_bytes(16, "big"))
        address = f"10.0.{index // 250}.{index % 250}"
        row = NodeRow(index, identity, b"", f"n{index}", b"", (), "token", True, 1, address, 0, ())
        roster.put(Node(row, b""))
    for node in roster:
        assert [reach.reported(node, deaf, 10.0, 7) for _ in range(2)][1] == (node.row.index < SINGLES_MAX)
    assert (len(reach.targets), reach.beyond) == (SINGLES_MAX, 2)


def test_a_node_that_is_forgotten_is_served_no_more() -> None:
    net = enrolled(2, seed=47)
    net.run(STALE)
    net.unreached.append(net.nodes[1])
    chatter(net, 12)
    node = net.master.roster.get(net.nodes[1].listener.id)
    assert node
    net.master.forget(node)
    assert singles(net) == ()
