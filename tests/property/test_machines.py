"""Both machines against hostile traffic and bad luck: nothing raises, nothing is lost, nothing comes twice."""

from __future__ import annotations

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st
from netcrier.core.events import Received
from netcrier.errors import DecodeError
from netcrier.wire.beacon import decode_beacon

from tests.network import MASTER, Network


@cache
def recorded() -> tuple[Network, tuple[bytes, ...]]:
    """A network at rest, and the traffic that brought it there."""
    net = Network(2, seed=40, loss=0.2)
    for number in range(20):
        net.broadcast(b"%d" % number)
        net.run(0.3)
    net.run(20, until=lambda: len(net.completed) == 20)
    return net, tuple(net.sent + net.risen)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 1231), st.binary(max_size=30), st.booleans())
def test_changed_traffic_is_counted_and_changes_nothing(pick: int, at: int, part: bytes, insert: bool) -> None:
    net, traffic = recorded()
    good = traffic[pick % len(traffic)]
    data = good[:at] + part + good[at if insert else at + len(part) :]
    if data in traffic:
        return
    listener, master = net.nodes[0].listener, net.master
    before = listener.refused.total(), master.refused.total(), listener.membership, listener.inbox.lanes
    counted = 0 if _echoes(data) else 1
    got = Received(data, MASTER, net.now, net.now_us)
    listener.receive(got)
    master.receive(got)
    assert (listener.refused.total(), master.refused.total()) == (before[0] + 1, before[1] + counted)
    assert master.tenure.speaking
    assert (listener.membership, listener.inbox.lanes) == before[2:]
    assert (listener.next_event(), master.next_event(), listener.take_batch()) == (None, None, None)


def _echoes(data: bytes) -> bool:
    """Whether a master takes it for a beacon of its own that comes back: not worth a signature check, nor a count."""
    net, _ = recorded()
    try:
        beacon = decode_beacon(data)
    except DecodeError:
        return False
    me = net.master.me
    own = (beacon.group, beacon.signing_key, beacon.term, beacon.boot) == (me.group, me.signer.public, me.term, me.boot)
    return own and (beacon.asking or beacon.counter <= net.master.voice.counter)


LUCK = st.lists(st.sampled_from(["send", "urgent", "wait", "node", "master"]), min_size=1, max_size=25)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.floats(0, 0.4), LUCK)
def test_with_any_loss_and_restarts_every_message_arrives_once_in_order(
    seed: int, loss: float, luck: list[str]
) -> None:
    net = Network(3, seed, loss)
    net.run(60, until=lambda: all(node.listener.enrolled for node in net.nodes))
    for step in luck:
        match step:
            case "send" | "urgent":
                net.broadcast(step.encode(), lane=int(step == "urgent"))
            case "node":
                net.chance.choice(net.nodes).start()
            case "master":
                net.start_master()
            case _:
                net.run(net.chance.random())
        net.run(0.003)
    sent = list(net.shelf.kept)
    net.run(90, until=lambda: all(len(node.log) == len(sent) for node in net.nodes))
    for node in net.nodes:
        for lane in (0, 1):
            assert [message for message in node.log if message.lane == lane] == [
                message for message in sent if message.lane == lane
            ]
