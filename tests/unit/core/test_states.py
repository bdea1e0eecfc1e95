"""States of an audience: a mapping that costs a byte a node."""

from __future__ import annotations

import sys

import pytest
from netcrier.core.delivery import Delivery, State
from netcrier.core.states import States
from netcrier.ids import MessageId


def test_it_is_a_mapping_of_the_audience_in_rising_order() -> None:
    states = States([7, 3, 5], State.PENDING, State)
    states[5] = State.HANDLED
    assert list(states.items()) == [(3, State.PENDING), (5, State.HANDLED), (7, State.PENDING)]
    assert states.get(4) is None
    del states[3]
    assert (dict(states), len(states), 3 in states) == ({5: State.HANDLED, 7: State.PENDING}, 2, False)
    for unknown in (3, 4, 8):
        with pytest.raises(KeyError):
            states[unknown] = State.RECEIVED


def test_a_message_that_a_thousand_nodes_have_costs_a_few_kilobytes() -> None:
    audience = tuple(range(1000))
    delivery = Delivery(MessageId(1, 0, 1), audience, 0.0)
    for index in audience:
        delivery.move(index, State.HANDLED, 1.0)
    assert delivery.states._audience is audience
    parts = (delivery.states._marks, delivery.outstanding, delivery.undelivered)
    assert sum(map(sys.getsizeof, parts)) < 2000
