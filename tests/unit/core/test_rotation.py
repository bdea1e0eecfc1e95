"""Another group key in memory: announced or at once, with nodes that sleep, crash, or have to go."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from netcrier.core.delivery import State
from netcrier.core.master.keyring import GroupKeys
from netcrier.core.pacing import ANNOUNCED, OLD_EPOCH, receipt_window, renewal_spread
from netcrier.ids import MessageId
from netcrier.wire import signed
from netcrier.wire.envelope import SealKey
from netcrier.wire.header import epoch_of, read_front, seal_down
from netcrier.wire.hello import hello_front
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import HELLO_SIZE, STRANGERS_PER_SECOND
from netcrier.wire.solicit import Solicit, encode_solicit

from tests.network import Network
from tests.network_node import Node


def enrolled(nodes: int, seed: int, loss: float = 0.0, key_limit: int | None = None) -> Network:
    net = Network(nodes, seed, loss)
    if key_limit:
        net.key_limit = key_limit
        net.start_master()
    net.run(30, until=lambda: all(node.listener.enrolled for node in net.nodes))
    net.run(1)
    net.risen.clear()
    return net


def kinds(net: Network) -> set[Kind]:
    """What the nodes have said since they were enrolled."""
    return {read_front(data).kind for data in net.risen}


def epochs(node: Node) -> list[int]:
    """Of which epochs the node has keys on its disk, the current one first."""
    return [epoch for epoch, _ in node.membership.keys]


def both(net: Network, node: Node) -> int:
    """How often the node has had to refuse for want of a key."""
    return node.listener.refused["unknown epoch"] + net.master.refused["too many strangers"]


@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_an_announced_key_is_with_every_node_before_it_holds_and_nobody_says_hello(loss: float) -> None:
    net = enrolled(20, seed=50, loss=loss)
    net.rotate()
    net.run(ANNOUNCED - 0.5)
    assert net.master.keyring.keys.epoch == 1
    assert [epochs(node) for node in net.nodes] == [[1, 2]] * 20
    net.run(3)
    assert net.master.keyring.keys.epoch == 2
    assert [epochs(node) for node in net.nodes] == [[2, 1]] * 20
    sent = net.broadcast(b"under the new key")
    net.run(2)
    assert all(node.log == [sent.id] for node in net.nodes)
    assert sum(both(net, node) for node in net.nodes) == 0
    assert loss or kinds(net) <= {Kind.RENEW, Kind.REPORT, Kind.REQUEST}
    assert all(node.epoch == 2 for node in net.master.roster)


def test_the_requests_of_ten_thousand_nodes_are_spread_over_the_announcement() -> None:
    assert renewal_spread(receipt_window(10_000)) == pytest.approx(10.0)
    assert renewal_spread(receipt_window(10)) == pytest.approx(0.04)
    net = enrolled(50, seed=51)
    net.rotate()
    times: list[float] = []
    while len(times) < 50:
        before = len(net.risen)
        net.run(0.1)
        times += [net.now for data in net.risen[before:] if read_front(data).kind is Kind.RENEW]
    assert max(sum(start <= at < start + 1 for at in times) for start in times) < 20
    assert max(times) - min(times) > 0.6 * ANNOUNCED


def test_members_get_the_key_while_strangers_take_all_of_their_own_budget() -> None:
    net = enrolled(3, seed=52)
    forged = hello_front(net.group).ljust(HELLO_SIZE, b"\7")
    net.take_keys(net.master.keyring.replaced(b"N" * 32, net.now_us))
    for _ in range(100):
        for _ in range(STRANGERS_PER_SECOND):
            net.inject(forged, None)
        net.run(0.05)
    assert net.master.refused["too many strangers"] > 100
    assert [epochs(node) for node in net.nodes] == [[2]] * 3


def test_a_node_that_slept_through_rotations_heals_by_itself() -> None:
    net = enrolled(3, seed=53)
    away = net.nodes.pop()
    sent = []
    for _ in range(3):
        sent.append(net.broadcast(b"while it is away").id)
        net.rotate()
        net.run(ANNOUNCED + 2)
    assert net.master.keyring.keys.epoch == 4
    away.start()
    net.nodes.append(away)
    net.run(20, until=lambda: len(away.log) == 3)
    assert away.log == sent
    assert epochs(away) == [4]
    assert Kind.HELLO not in kinds(net)


def test_an_announcement_outlives_a_restart_of_the_master() -> None:
    net = enrolled(2, seed=54)
    net.rotate()
    secret = net.keys.next_secret
    net.run(5)
    net.start_master()
    net.run(ANNOUNCED + 3)
    assert (net.keys.epoch, net.keys.secret, net.keys.next_secret) == (2, secret, b"")
    assert [epochs(node) for node in net.nodes] == [[2, 1]] * 2


def test_a_second_rotation_while_one_is_announced_changes_nothing() -> None:
    net = enrolled(1, seed=55)
    net.rotate()
    before = net.keys
    net.rotate()
    assert net.keys == before


def test_the_key_before_opens_repairs_for_ten_minutes_and_gives_no_orders() -> None:
    net = enrolled(1, seed=56)
    old = SealKey(net.keys.secret)
    net.rotate()
    net.run(ANNOUNCED + 3)
    node = net.nodes[0]

    def repaired() -> int:
        composed = net.master.compose(0, b"repair", net.now_us)
        net.shelf.kept[composed.id] = composed.plaintext
        net.inject(seal_down(Kind.MESSAGE, net.group, 1, old, composed.plaintext), node)
        net.run(0.0005)
        return len(node.log)

    assert repaired() == 1
    solicit = Solicit(net.master.voice.head(), 0, 1, 2000, 0, b"\x80")
    plaintext = signed.signed(Kind.SOLICIT, net.group, encode_solicit(solicit), net.signer)
    net.inject(seal_down(Kind.SOLICIT, net.group, 1, old, plaintext), node)
    net.run(0.0005)
    assert node.listener.refused["old epoch"] == 1
    net.run(OLD_EPOCH)
    assert repaired() == 1
    assert node.listener.refused["unknown epoch"] == 1


def test_after_a_restart_a_node_has_the_current_key_alone() -> None:
    net = enrolled(1, seed=57)
    net.rotate()
    net.run(ANNOUNCED + 3)
    net.nodes[0].start()
    assert epochs(net.nodes[0]) == [2, 1]
    assert 1 not in net.nodes[0].listener._hearing.epochs
    sent = net.broadcast(b"x")
    net.run(3)
    assert net.nodes[0].log == [sent.id]


def test_a_key_is_changed_before_it_is_worn_out() -> None:
    net = enrolled(1, seed=58, key_limit=100)
    for number in range(300):
        net.broadcast(b"%d" % number)
        net.run(0.2)
    used = [epoch_of(data) for data in net.sent if read_front(data).kind in (Kind.BEACON, Kind.MESSAGE, Kind.SOLICIT)]
    most = 100 + int((ANNOUNCED + 2) * len(used) / 60)  # what is sent while the next one is announced
    assert net.keys.epoch >= 3
    assert max(used.count(epoch) for epoch in set(used)) <= most
    assert net.nodes[0].log == [MessageId(1, 0, number) for number in range(1, 301)]


def test_restarts_do_not_make_a_key_new() -> None:
    net = enrolled(1, seed=59, key_limit=150)
    for _ in range(6):
        for number in range(30):
            net.broadcast(b"%d" % number)
            net.run(0.1)
        net.start_master()
        net.run(1)
    net.run(ANNOUNCED + 2)
    assert net.keys.epoch >= 2


def test_a_master_with_another_key_under_the_same_number_is_followed() -> None:
    net = enrolled(2, seed=60)
    net.rotate()
    net.run(ANNOUNCED + 3)
    net.keys = GroupKeys(2, b"another".ljust(32), open=True)
    net.start_master()
    net.run(5)
    sent = net.broadcast(b"x")
    net.run(2)
    assert [node.log for node in net.nodes] == [[sent.id]] * 2


def test_a_revoked_node_is_out_within_a_beacon_and_cannot_read_the_next_message() -> None:
    net = enrolled(3, seed=61)
    out = net.nodes[0]
    index = net.rows[out.listener.id].index
    before = net.broadcast(b"before")
    net.run(0.5)
    net.lose = lambda data, up: not up and read_front(data).kind is Kind.MESSAGE
    waited = net.broadcast(b"on its way")
    net.run(0.5)
    assert [done.message for done in net.completed] == [before.id]
    net.revoke(out)
    mark = len(net.sent)
    net.lose = lambda _data, _up: False
    sent = net.broadcast(b"members only")
    assert index not in sent.expected
    net.run(5)
    assert out.log == [before.id]
    assert [node.log for node in net.nodes[1:]] == [[before.id, waited.id, sent.id]] * 2
    assert {done.message: done.expected for done in net.completed} == {before.id: 3, waited.id: 2, sent.id: 2}
    assert (waited.id, index, State.REVOKED) in [(r.message, r.index, r.state) for r in net.receipts]
    assert net.master.refused["revoked node"] >= 1
    assert out.listener.refused["unknown epoch"] >= 1
    sealed = [data for data in net.sent[mark:] if read_front(data).kind not in (Kind.WELCOME, Kind.REKEY)]
    assert {epoch_of(data) for data in sealed} == {2}
    net.run(10)
    assert [node.listener.keyless for node in net.nodes] == [True, False, False]


def test_a_revocation_makes_an_announced_key_worthless_that_the_node_already_has() -> None:
    net = enrolled(2, seed=62)
    net.rotate()
    net.run(ANNOUNCED - 1)
    out = net.nodes[0]
    assert epochs(out) == [1, 2]
    net.revoke(out)
    assert net.keys.epoch == 3
    sent = net.broadcast(b"members only")
    net.run(ANNOUNCED + 2)
    assert net.master.keyring.keys.epoch == 3
    assert (out.log, net.nodes[1].log) == ([], [sent.id])
    assert epochs(net.nodes[1]) == [3]


@pytest.mark.parametrize("seed", range(58, 64))
def test_a_revocation_does_not_wait_for_who_is_about_to_ask_for_an_announced_key(seed: int) -> None:
    net = enrolled(10, seed=seed)
    net.rotate()
    net.run(0.5)
    net.revoke(net.nodes[3])
    del net.nodes[3]
    sent = net.broadcast(b"members only")
    net.run(1)
    assert [node.log for node in net.nodes] == [[sent.id]] * 9
    assert [epochs(node) for node in net.nodes] == [[3]] * 9


def test_a_revoked_node_that_is_approved_again_takes_part_as_before() -> None:
    net = enrolled(2, seed=63)
    out = net.nodes[0]
    net.revoke(out)
    missed = net.broadcast(b"meanwhile")
    net.run(5)
    row = replace(net.rows[out.listener.id], trust="approved", approved=True)
    net.rows[row.id] = row
    net.master.enlist(row)
    net.run(25)
    sent = net.broadcast(b"welcome back")
    net.run(2)
    assert row.index in sent.expected
    assert out.log == [missed.id, sent.id]
