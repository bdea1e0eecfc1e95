"""The master's store: numbers only rise, a commit is whole or nothing, a restart finds everything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from netcrier.core.delivery import Receipt, State
from netcrier.core.events import NodeRow
from netcrier.core.master.admission import Grant
from netcrier.core.master.composer import Composed
from netcrier.core.master.keyring import GroupKeys
from netcrier.errors import StoreError
from netcrier.ids import MessageId, NodeId
from netcrier.masterd.retention import RECEIPTS_KEPT, Retention
from netcrier.masterd.store.messages import REQUESTS_KEPT_US
from netcrier.masterd.store.outcomes import Outcome
from netcrier.masterd.store.store import Store

from tests.network import Network


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(path)
    yield store
    store.close()


def composed(count: int, nodes: int = 2, to: str = "", ttl_ms: int = 0) -> list[Composed]:
    net = Network(nodes, seed=1)
    net.run(5, until=lambda: len(net.master.roster) == nodes)
    return [net.master.compose(0, b"body %d" % number, 1_000_000 + number, to, ttl_ms) for number in range(count)]


def row(index: int, name: str = "node") -> NodeRow:
    return NodeRow(
        index, NodeId(bytes([index]) * 16), b"p" * 32, name, bytes(16), (("role", "web"),),
        "token", True, 4, "10.0.0.7", 5, ((0, 1, 3),),
    )  # fmt: skip


def test_every_run_has_a_higher_boot_number(path: Path) -> None:
    boots = []
    for _ in range(3):
        store = Store(path)
        boots.append(store.terms.begin_boot())
        store.close()
    assert boots == [(1, 1), (1, 2), (1, 3)]


def test_the_group_key_is_made_once_and_a_new_group_is_open(store: Store, path: Path) -> None:
    keys = store.group.keys(0)
    again = Store(path)
    assert (again.group.keys(0).secret, again.group.keys(0).epoch, again.group.keys(0).open) == (keys.secret, 1, True)
    again.close()


def test_closing_the_group_keeps_key_token_and_waiting_nodes(store: Store) -> None:
    grant = Grant(b"i" * 8, b"s" * 32, None, once=True)
    store.group.shut_out(GroupKeys(2, b"k" * 32, open=False), [row(1)], grant, [])
    assert (store.group.keys(0).epoch, store.group.keys(0).open) == (2, False)
    assert store.group.grants() == {grant.id: grant}
    assert store.group.nodes() == [row(1)]


def test_a_message_is_found_by_number_and_by_request_with_its_outcomes(store: Store) -> None:
    (message,) = composed(1)
    store.messages.add(message, "request")
    stored = store.messages.by_request("request", 1_000_000)
    assert stored == store.messages.find(MessageId(1, 0, 1))
    assert stored
    assert stored.body == b"body 0"
    assert store.messages.signed_message(message.id) == message.plaintext
    assert store.outcomes.of(stored.number) == [Outcome(0, State.PENDING, None), Outcome(1, State.PENDING, None)]
    assert store.messages.unfinished() == [stored]


def test_the_first_receipt_gives_the_time_and_the_last_the_state(store: Store) -> None:
    (message,) = composed(1)
    store.messages.add(message, "request")
    store.outcomes.add([Receipt(message.id, 0, State.RECEIVED, 0.004)])
    store.outcomes.add([Receipt(message.id, 0, State.DELIVERED, 0.009)])
    store.outcomes.add([Receipt(message.id, 1, State.DELIVERED, 0.007)])
    stored = store.messages.by_request("request", 1_000_000)
    assert stored
    assert store.outcomes.of(stored.number) == [
        Outcome(0, State.DELIVERED, 4000, 9000),
        Outcome(1, State.DELIVERED, 7000, 7000),
    ]
    assert store.messages.unfinished() == []


def test_a_repeated_number_or_request_is_refused_whole(store: Store) -> None:
    first, second = composed(2)
    store.messages.add(first, "request")
    with pytest.raises(StoreError):
        store.messages.add(second, "request")
    with pytest.raises(StoreError):
        store.messages.add(first, "another")
    assert [stored.id.sequence for stored in store.messages.newest(10)] == [1]


def test_lanes_come_back_with_their_digests_and_chains(store: Store) -> None:
    messages = composed(3)
    for message in messages:
        store.messages.add(message, str(message.id))
    queue, urgent = store.messages.lanes(1)
    assert (queue.highest, urgent.highest) == (3, 0)
    assert queue.chain_at(3) == messages[2].chain
    store.messages.drop_old(Retention(2), 0)
    queue, _ = store.messages.lanes(1)
    assert (queue.lowest, queue.highest, queue.chain_at(3)) == (2, 3, messages[2].chain)


def test_a_forgotten_node_leaves_no_expectation(store: Store) -> None:
    (message,) = composed(1)
    store.messages.add(message, "request")
    store.group.keep_nodes([row(0), row(1, "other")])
    store.group.forget_node(row(0))
    assert [kept.name for kept in store.group.nodes()] == ["other"]
    stored = store.messages.by_request("request", 1_000_000)
    assert stored
    assert [outcome.index for outcome in store.outcomes.of(stored.number)] == [1]


def test_a_truncated_store_is_said_and_not_begun_anew(store: Store, path: Path) -> None:
    for message in composed(200, nodes=1):
        store.messages.add(message, str(message.id))
    store.close()
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(StoreError):
        Store(path).messages.lanes(1)


def test_a_lane_whose_messages_are_forgotten_counts_on(store: Store) -> None:
    messages = composed(6)
    for number, message in enumerate(messages):
        store.messages.add(message, f"request {number}")
    store.messages.drop_old(Retention(3), 0)
    (queue, urgent) = store.messages.lanes(1)
    assert (queue.lowest, queue.highest, urgent.highest) == (4, 6, 0)
    assert [queue.chain_at(at) for at in range(3, 7)] == [message.chain for message in messages[2:]]
    store.messages.drop_old(Retention(0), 0)
    (queue, _) = store.messages.lanes(1)
    assert (queue.highest, queue.chain_at(6), queue.span().highest) == (6, messages[5].chain, 6)


def test_an_urgent_number_is_not_given_twice_after_many_queued_messages(store: Store) -> None:
    net = Network(1, seed=2)
    net.run(5, until=lambda: len(net.master.roster) == 1)
    for number, lane in enumerate([1, 0, 0, 0]):
        store.messages.add(net.master.compose(lane, b"", 0), f"request {number}")
    store.messages.drop_old(Retention(2), 0)
    assert [lane.highest for lane in store.messages.lanes(1)] == [3, 1]


def kept(store: Store) -> list[int]:
    return [stored.id.sequence for stored in store.messages.newest(100)]


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        (Retention(2), [5, 6]),
        (Retention(100), [1, 2, 3, 4, 5, 6]),
        (Retention(100, age_us=3), [3, 4, 5, 6]),
        (Retention(100, size=500), [4, 5, 6]),
        (Retention(100, age_us=1, size=100), []),
    ],
)
def test_messages_are_kept_by_number_age_and_bytes(store: Store, keep: Retention, left: list[int]) -> None:
    for message in composed(6):  # sent at 1,000,000 to 1,000,005 µs; 138 signed bytes each
        store.messages.add(message, str(message.id))
    store.messages.drop_old(keep, 1_000_005)
    assert kept(store) == left
    assert store.messages.lowest(1) == ({} if len(left) == 6 else {0: 7 - len(left)})


def test_what_is_dropped_is_a_gap_to_who_lacks_it_and_keeps_its_receipts(store: Store) -> None:
    first, second = composed(2)
    for message in (first, second):
        store.messages.add(message, str(message.id))
    store.outcomes.add([Receipt(first.id, 0, State.DELIVERED, 0.004)])
    store.messages.drop_old(Retention(1), 0)
    stored = store.messages.find(first.id)
    assert stored
    assert (stored.kept, stored.body, stored.size, store.messages.signed_message(first.id)) == (False, b"", 6, None)
    states = {outcome.index: outcome.state for outcome in store.outcomes.of(stored.number)}
    assert states == {0: State.DELIVERED, 1: State.GAP}
    assert store.outcomes.gaps() == {1: 1}
    assert [unfinished.id for unfinished in store.messages.unfinished()] == [second.id]


def test_receipts_of_dropped_messages_are_bounded(store: Store) -> None:
    messages = composed(RECEIPTS_KEPT + 3, nodes=1)
    for message in messages:
        store.messages.add(message, str(message.id))
    store.messages.drop_old(Retention(1), 0)
    store.messages.drop_old(Retention(1), 0)
    found = [message.id for message in messages if store.messages.find(message.id)]
    assert found == [message.id for message in messages[2:]]


def test_conditions_come_back_after_a_restart(store: Store) -> None:
    plain, *_ = composed(1)
    store.messages.add(plain, "plain")
    for message in composed(3, to="name=node1", ttl_ms=60_000)[1:]:
        store.messages.add(message, str(message.id))
    assert store.messages.conditions(1) == [
        (MessageId(1, 0, number), message.condition)
        for number, message in zip((2, 3), composed(3, to="name=node1", ttl_ms=60_000)[1:], strict=True)
    ]
    store.messages.drop_old(Retention(1), 0)
    assert [identity.sequence for identity, _ in store.messages.conditions(1)] == [3]


def test_a_node_that_was_not_expected_is_listed_apart(store: Store) -> None:
    (message,) = composed(1, to="name=node1")
    store.messages.add(message, "request")
    stray = 1 - message.expected[0]
    store.outcomes.add([Receipt(message.id, stray, State.RECEIVED, 0.1, unexpected=True)])
    stored = store.messages.find(message.id)
    assert stored
    assert [
        (outcome.index, outcome.unexpected) for outcome in store.outcomes.of(stored.number) if outcome.unexpected
    ] == [(stray, True)]
    ((_, condition),) = store.messages.conditions(1)
    assert condition.expected == frozenset(message.expected)


def test_no_state_goes_back(store: Store) -> None:
    (message,) = composed(1)
    store.messages.add(message, "request")
    for state in (State.DELIVERED, State.RECEIVED, State.REFUSED, State.EXPIRED):
        store.outcomes.add([Receipt(message.id, 0, state, 0.1)])
    stored = store.messages.find(message.id)
    assert stored
    assert store.outcomes.of(stored.number)[0].state is State.DELIVERED


def test_a_request_is_known_for_a_day_also_when_its_message_is_dropped(store: Store) -> None:
    first, second = composed(2)
    store.messages.add(first, "request")
    store.messages.add(second, "other")
    store.messages.drop_old(Retention(1), 0)
    known = store.messages.by_request("request", first.sent_us + REQUESTS_KEPT_US)
    assert known
    assert known.id == first.id
    assert store.messages.by_request("request", first.sent_us + REQUESTS_KEPT_US + 1) is None
