"""States of a message at its nodes: they go forward, once, and only where the message is expected."""

from __future__ import annotations

import pytest
from netcrier.core.delivery import HAVE, OPEN, Delivery, Receipt, State
from netcrier.ids import MessageId

MESSAGE = MessageId(1, 0, 5)
PENDING, RECEIVED, DELIVERED, HANDLED, REFUSED, EXPIRED, MISSED, GAP, REVOKED = State
MOVES = {
    PENDING: set(State) - {PENDING},
    RECEIVED: {DELIVERED, HANDLED, REFUSED},
    DELIVERED: {HANDLED},
    EXPIRED: {RECEIVED, DELIVERED, HANDLED, REFUSED, MISSED, GAP, REVOKED},
    REVOKED: {RECEIVED, DELIVERED, HANDLED},
}


@pytest.mark.parametrize("before", State)
@pytest.mark.parametrize("after", State)
def test_only_a_step_forward_gives_a_receipt(before: State, after: State) -> None:
    moves = after in MOVES.get(before, set())
    delivery = Delivery(MESSAGE, [3], 10.0, {3: before})
    receipt = delivery.move(3, after, 10.5, 7)
    assert receipt == (Receipt(MESSAGE, 3, after, 0.5, 7) if moves else None)
    assert delivery.states == {3: after if moves else before}
    assert delivery.received == (delivery.states[3] in HAVE)
    assert (delivery.outstanding == {3}) is (delivery.states[3] is PENDING)
    assert (delivery.undelivered == {3}) is (delivery.states[3] in OPEN)


def test_outstanding_and_undelivered_follow_the_states() -> None:
    delivery = Delivery(MESSAGE, [1, 2], 0.0)
    assert (delivery.expected, delivery.outstanding, delivery.undelivered) == (2, {1, 2}, {1, 2})
    delivery.move(1, RECEIVED, 1.0)
    assert (delivery.outstanding, delivery.undelivered) == ({2}, {1, 2})
    delivery.move(1, DELIVERED, 1.0)
    delivery.move(2, DELIVERED, 1.0)
    assert (delivery.outstanding, delivery.undelivered) == (set(), set())


def test_a_receipt_that_was_not_expected_tells_nothing() -> None:
    assert Delivery(MESSAGE, [1], 0.0).move(9, RECEIVED, 1.0) is None


def test_a_node_that_has_what_it_was_not_expected_to_have_is_listed_and_not_counted() -> None:
    delivery = Delivery(MESSAGE, [1], 0.0)
    assert delivery.stray(9, 1.0) == Receipt(MESSAGE, 9, RECEIVED, 1.0, unexpected=True)
    assert delivery.stray(9, 1.0) is None
    assert delivery.move(9, DELIVERED, 2.0) == Receipt(MESSAGE, 9, DELIVERED, 2.0, unexpected=True)
    assert (delivery.expected, delivery.received, delivery.outstanding, delivery.strays) == (1, 0, {1}, {9: DELIVERED})


def test_a_node_that_was_expected_is_no_stray() -> None:
    delivery = Delivery(MESSAGE, [1], 0.0)
    assert delivery.stray(1, 1.0) == Receipt(MESSAGE, 1, RECEIVED, 1.0)
    assert delivery.strays == {}


def test_states_from_the_store_are_taken_up() -> None:
    delivery = Delivery(MESSAGE, [1, 2, 3], 0.0, {1: DELIVERED, 2: RECEIVED})
    assert (delivery.outstanding, delivery.undelivered, delivery.received) == ({3}, {2, 3}, 2)


def test_a_node_that_is_shut_out_is_waited_for_no_longer_and_not_counted() -> None:
    delivery = Delivery(MESSAGE, [1, 2], 0.0, {2: RECEIVED})
    assert delivery.revoke(1, 1.0) == Receipt(MESSAGE, 1, REVOKED, 1.0)
    assert (delivery.expected, delivery.received, delivery.outstanding, delivery.undelivered) == (1, 1, set(), {2})
    assert delivery.revoke(2, 1.0) is None
    assert (dict(delivery.states), delivery.undelivered) == ({1: REVOKED, 2: RECEIVED}, set())
    assert Delivery(MESSAGE, [1, 2], 0.0, delivery.states).expected == 1
    delivery.move(1, DELIVERED, 2.0)
    assert (delivery.expected, delivery.received) == (2, 2)
    delivery.revoke(1, 3.0)
    delivery.forget(1)
    assert delivery.expected == 1


def test_nothing_is_expected_from_a_forgotten_node() -> None:
    delivery = Delivery(MESSAGE, [1, 2], 0.0)
    delivery.stray(9, 1.0)
    for _ in range(2):
        delivery.forget(1)
        delivery.forget(9)
    assert (delivery.expected, delivery.outstanding, delivery.undelivered, delivery.strays) == (1, {2}, {2}, {})
    assert delivery.move(1, RECEIVED, 1.0) is None


def test_numbers_on_disk_do_not_change() -> None:
    names = ["PENDING", "RECEIVED", "DELIVERED", "HANDLED", "REFUSED", "EXPIRED", "MISSED", "GAP", "REVOKED"]
    assert [state.name for state in State] == names
    assert [int(state) for state in State] == [*range(8), 16]
