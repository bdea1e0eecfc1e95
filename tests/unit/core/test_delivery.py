"""States of a message at its nodes: they go forward, once, and only where the message is expected."""

from __future__ import annotations

import pytest
from netcrier.core.delivery import Delivery, Receipt, State
from netcrier.ids import MessageId

MESSAGE = MessageId(1, 0, 5)


@pytest.mark.parametrize(
    ("before", "after", "moves"),
    [
        (State.PENDING, State.RECEIVED, True),
        (State.PENDING, State.DELIVERED, True),
        (State.RECEIVED, State.DELIVERED, True),
        (State.PENDING, State.PENDING, False),
        (State.RECEIVED, State.RECEIVED, False),
        (State.RECEIVED, State.PENDING, False),
        (State.DELIVERED, State.DELIVERED, False),
        (State.DELIVERED, State.RECEIVED, False),
    ],
)
def test_only_a_step_forward_gives_a_receipt(before: State, after: State, moves: bool) -> None:
    delivery = Delivery(MESSAGE, [3], 10.0, {3: before})
    receipt = delivery.move(3, after, 10.5)
    assert receipt == (Receipt(MESSAGE, 3, after, 0.5) if moves else None)
    assert delivery.states == {3: after if moves else before}


def test_outstanding_and_undelivered_follow_the_states() -> None:
    delivery = Delivery(MESSAGE, [1, 2], 0.0)
    assert (delivery.expected, delivery.outstanding, delivery.undelivered) == (2, {1, 2}, {1, 2})
    delivery.move(1, State.RECEIVED, 1.0)
    assert (delivery.outstanding, delivery.undelivered) == ({2}, {1, 2})
    delivery.move(1, State.DELIVERED, 1.0)
    delivery.move(2, State.DELIVERED, 1.0)
    assert (delivery.outstanding, delivery.undelivered) == (set(), set())


def test_a_receipt_that_was_not_expected_tells_nothing() -> None:
    assert Delivery(MESSAGE, [1], 0.0).move(9, State.RECEIVED, 1.0) is None


def test_states_from_the_store_are_taken_up() -> None:
    delivery = Delivery(MESSAGE, [1, 2, 3], 0.0, {1: State.DELIVERED, 2: State.RECEIVED})
    assert (delivery.outstanding, delivery.undelivered) == ({3}, {2, 3})


def test_nothing_is_expected_from_a_forgotten_node() -> None:
    delivery = Delivery(MESSAGE, [1, 2], 0.0)
    for _ in range(2):
        delivery.forget(1)
    assert (delivery.expected, delivery.outstanding, delivery.undelivered) == (1, {2}, {2})
    assert delivery.move(1, State.RECEIVED, 1.0) is None


def test_numbers_on_disk_do_not_change() -> None:
    assert {state.name: int(state) for state in State} == {"PENDING": 0, "RECEIVED": 1, "DELIVERED": 2}
