"""What becomes of a message that a node does not get: by target, age, retention. Master and nodes in memory."""

from __future__ import annotations

import pytest
from netcrier.core.delivery import State
from netcrier.core.node.batch import Passed
from netcrier.errors import NotFoundError, UsageError
from netcrier.ids import MessageId
from netcrier.wire.header import read_front
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import OUTCOMES_MAX, SKIPS_PER_REQUEST
from netcrier.wire.report import Told

from tests.network import Network
from tests.network_node import Node


def nothing(_data: bytes, _up: bool) -> bool:
    """Loses nothing."""
    return False


def all_upward(_data: bytes, up: bool) -> bool:
    """Loses whatever nodes say."""
    return up


def hellos(data: bytes, up: bool) -> bool:
    """Loses every HELLO: the master learns no new tags."""
    return up and read_front(data).kind is Kind.HELLO


def messages(data: bytes, up: bool) -> bool:
    """Loses every MESSAGE."""
    return not up and read_front(data).kind is Kind.MESSAGE


def site(*roles: str, seed: int = 1, loss: float = 0.0) -> Network:
    """One enrolled node for each role."""
    net = Network(len(roles), seed, loss)
    for node, role in zip(net.nodes, roles, strict=True):
        node.tags = (("role", role),)
        node.boot -= 1
        node.start()
    net.run(60, until=lambda: len(net.master.roster) == len(roles) and all(n.listener.enrolled for n in net.nodes))
    net.run(3)
    return net


def states(net: Network, sequence: int, lane: int = 0) -> list[State | None]:
    """The message at each node, in the nodes' order."""
    delivery = net.master.deliveries.get(MessageId(1, lane, sequence))
    assert delivery
    found = []
    for node in net.nodes:
        index = net.rows[node.listener.id].index
        found.append(delivery.states.get(index, delivery.strays.get(index)))
    return found


def away(net: Network) -> Node:
    """The last node is switched off."""
    return net.nodes.pop()


def back(net: Network, node: Node, seconds: float = 15) -> None:
    """It is switched on again."""
    node.start()
    net.nodes.append(node)
    net.run(seconds)


def outcomes_told(net: Network) -> int:
    """How many HEARDs the master has sent."""
    return sum(read_front(data).kind is Kind.HEARD for data in net.sent)


def test_only_the_nodes_of_the_selector_are_expected_and_deliver() -> None:
    net = site("web", "db", "web")
    sent = net.broadcast(b"reload", to="role=web")
    after = net.broadcast(b"all")
    net.run(3)
    assert [node.log for node in net.nodes] == [[sent.id, after.id], [after.id], [sent.id, after.id]]
    assert states(net, 1) == [State.DELIVERED, None, State.DELIVERED]
    assert [done.message for done in net.completed] == [sent.id, after.id]
    assert outcomes_told(net) == 0, "where the master knows the tags there is nothing to tell"


def test_a_selector_that_no_node_matches_sends_nothing() -> None:
    net = site("web")
    with pytest.raises(NotFoundError, match="no node matches"):
        net.broadcast(b"x", to="role=cache")
    with pytest.raises(UsageError, match="nothing to repeat"):
        net.broadcast(b"x", to="role=~*")
    with pytest.raises(UsageError, match="shorten the selector"):
        net.broadcast(b"x" * 1024, to="role=~" + "w?" * 20 + ".*")
    assert net.master.lanes[0].highest == 0


def test_a_node_outside_the_set_that_missed_the_message_is_skipped_over_it() -> None:
    net = site("web", "db")
    gone = away(net)
    sent = [net.broadcast(b"%d" % number, to="role=web" if number % 2 else "").id for number in range(20)]
    net.run(3)
    back(net, gone)
    assert gone.log == [identity for identity in sent if identity.sequence % 2]
    assert (gone.passed, gone.untold) == ([], {})
    assert gone.lanes[0].chain == net.nodes[0].lanes[0].chain
    assert len(net.completed) == 20


def test_a_skip_for_one_node_is_refused_by_another() -> None:
    net = site("db", "web")
    gone = away(net)
    sent = net.broadcast(b"x", to="role=web").id
    net.nodes[0].lanes = ()
    net.lose = messages
    net.run(1)
    second = net.broadcast(b"y", to="role=web").id
    net.run(3)
    skips = [data for data in net.sent if read_front(data).kind is Kind.SKIP]
    assert skips
    gone.start()
    net.nodes.append(gone)
    net.run(2)
    for data in skips:
        net.inject(data, gone)
    net.run(1)
    assert gone.listener.refused["not for this node"] >= 1
    net.lose = nothing
    net.run(5)
    assert gone.log == [sent, second]


def test_a_node_with_other_tags_than_the_master_knows_refuses_and_says_so() -> None:
    net = site("web", "web")
    net.lose = hellos
    changed = net.nodes[1]
    changed.tags = (("role", "db"),)
    changed.start()
    net.run(0.5)
    sent = net.broadcast(b"reload", to="role=web")
    net.run(5)
    assert [node.log for node in net.nodes] == [[sent.id], []]
    assert states(net, 1) == [State.DELIVERED, State.REFUSED]
    assert net.completed[0].received == 1
    assert changed.untold == {}, "the master has heard it"


def test_a_node_that_matches_and_was_not_expected_delivers_and_is_listed() -> None:
    net = site("web", "db")
    net.lose = hellos
    changed = net.nodes[1]
    changed.tags = (("role", "web"),)
    changed.start()
    net.run(0.5)
    sent = net.broadcast(b"reload", to="role=web")
    net.run(5)
    assert [node.log for node in net.nodes] == [[sent.id], [sent.id]]
    delivery = net.master.deliveries.get(sent.id)
    assert delivery
    assert (list(delivery.strays.values()), delivery.expected, delivery.received) == ([State.DELIVERED], 1, 1)


def test_the_master_learns_new_tags_at_the_next_start() -> None:
    net = site("web", "db")
    net.nodes[1].tags = (("role", "web"),)
    net.nodes[1].start()
    net.run(3)
    assert len(net.master.expected("role=web")) == 2
    net.broadcast(b"x", to="role=web")
    net.run(3)
    assert states(net, 1) == [State.DELIVERED, State.DELIVERED]


def test_a_message_that_expired_is_missed_by_who_was_away_and_the_lane_goes_on() -> None:
    net = site("a", "b")
    gone = away(net)
    short = net.broadcast(b"soon stale", ttl_ms=2000).id
    after = net.broadcast(b"after").id
    net.run(1)
    assert states(net, 1)[:1] == [State.DELIVERED]
    net.run(3)
    net.nodes.append(gone)
    assert states(net, 1) == [State.DELIVERED, State.EXPIRED]
    net.nodes.remove(gone)
    back(net, gone)
    assert gone.log == [after]
    assert gone.passed == [Passed(short, 1, Told.MISSED)]
    assert states(net, 1) == [State.DELIVERED, State.MISSED]
    assert gone.untold == {}
    done = {completed.message: completed.received for completed in net.completed}
    assert done == {short: 1, after: 2}


def test_a_message_that_comes_too_late_by_itself_is_not_delivered() -> None:
    net = site("a")
    net.lose = messages
    short = net.broadcast(b"stale", ttl_ms=1000)
    recorded = net.master.voice.sealed(Kind.MESSAGE, short.plaintext)
    net.lose = lambda data, up: not up and read_front(data).kind in (Kind.MESSAGE, Kind.SKIP)
    net.run(3)
    net.inject(recorded, net.nodes[0])
    net.run(2)
    assert (net.nodes[0].log, net.nodes[0].passed) == ([], [Passed(short.id, 1, Told.MISSED)])
    assert states(net, 1) == [State.MISSED]


def test_a_receipt_that_was_lost_corrects_expired() -> None:
    net = site("a")
    net.lose = all_upward
    net.broadcast(b"x", ttl_ms=500)
    net.run(3)
    assert states(net, 1) == [State.EXPIRED]
    net.lose = nothing
    net.run(15)
    assert states(net, 1) == [State.DELIVERED]


def test_what_the_store_no_longer_keeps_is_a_gap_and_what_follows_is_delivered() -> None:
    net = site("a", "b")
    gone = away(net)
    sent = [net.broadcast(b"%d" % number).id for number in range(60)]
    net.run(3)
    for identity in sent[:40]:
        del net.shelf.kept[identity]
    net.master.dropped(1, 0, 41, net.now)
    back(net, gone)
    assert gone.log == sent[40:]
    assert gone.passed == [Passed(sent[0], 40, Told.GAP)]
    assert states(net, 1) == [State.DELIVERED, State.GAP]
    assert states(net, 41) == [State.DELIVERED, State.DELIVERED]
    assert gone.lanes[0].chain == net.nodes[0].lanes[0].chain


@pytest.mark.parametrize("seed", range(4))
def test_more_refusals_than_a_report_lists_are_all_known_under_loss(seed: int) -> None:
    net = site("web", "web", seed=seed)
    net.lose = hellos
    changed = net.nodes.pop()
    count = 3 * OUTCOMES_MAX
    sent = [net.broadcast(b"%d" % number, to="role=web" if number % 3 else "").id for number in range(count)]
    net.run(2)
    changed.tags = (("role", "db"),)
    net.lose = lambda data, up: net.chance.random() < 0.2 or hellos(data, up)
    changed.start()
    net.nodes.append(changed)
    net.run(60, until=lambda: not changed.untold and len(net.completed) == count)
    wanted = [State.DELIVERED if identity.sequence % 3 == 1 else State.REFUSED for identity in sent]
    assert [states(net, identity.sequence)[1] for identity in sent] == wanted, f"seed {seed}"
    assert changed.log == sent[::3]


def test_an_outcome_survives_restarts_of_both_sides() -> None:
    net = site("web", "web")
    net.lose = all_upward
    changed = net.nodes[1]
    changed.tags = (("role", "db"),)
    changed.start()
    net.run(2)
    net.broadcast(b"x", to="role=web")
    net.run(1)
    assert len(changed.untold) == 1
    changed.start()
    net.lose = nothing
    net.run(15)
    assert states(net, 1)[1] is State.REFUSED
    assert changed.untold == {}


def test_a_request_is_answered_by_a_bounded_number_of_skips() -> None:
    net = site("web", "db")
    gone = away(net)
    for number in range(3 * SKIPS_PER_REQUEST * 2):
        net.broadcast(b"x", to="role=web" if number % 2 else "")
    net.run(3)
    sent = len(net.sent)
    net.no_tcp = True
    gone.start()
    net.nodes.append(gone)
    net.run(10, until=lambda: any(read_front(data).kind is Kind.SKIP for data in net.sent[sent:]))
    assert sum(read_front(data).kind is Kind.SKIP for data in net.sent[sent:]) == SKIPS_PER_REQUEST
    net.run(10)
    assert len(gone.log) == 3 * SKIPS_PER_REQUEST


@pytest.mark.parametrize("seed", range(6))
def test_fates_of_all_kinds_are_known_under_loss(seed: int) -> None:
    net = site("web", "db", "web", seed=seed)
    net.lose = lambda _data, _up: net.chance.random() < 0.25
    gone = away(net)
    sent = []
    for number in range(90):
        to, ttl = ("", "role=web", "role=db")[number % 3], 3000 if number % 5 == 0 else 0
        sent.append(net.broadcast(b"%d" % number, to=to, ttl_ms=ttl).id)
        net.run(0.02)
    net.run(10)
    back(net, gone, 0)
    net.run(90, until=lambda: all(not node.untold and node.lanes[0].mark == 90 for node in net.nodes))
    net.lose = nothing
    net.run(15)
    for place, node in enumerate(net.nodes):
        for number, identity in enumerate(sent):
            state = states(net, identity.sequence)[place]
            mine = number % 3 == 0 or (number % 3 == 1) == (place != 1)
            had = identity in node.log
            assert (state is not None) == mine, f"seed {seed}: {identity} at node {place}"
            assert state in ((State.DELIVERED,) if had else (State.MISSED, None)), f"seed {seed}: {identity} {state}"
        assert node.log == sorted(node.log)
        assert len(set(node.log)) == len(node.log)
    chains = {node.lanes[0].chain for node in net.nodes}
    assert chains == {net.master.lanes[0].chains[-1]}
