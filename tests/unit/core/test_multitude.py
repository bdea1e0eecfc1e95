"""Hundreds of nodes with loss, doubling, overtaking, partitions and a thief, from a seed that is new in every run.

`make bench-messaging ROWS=multitude` does the same with 10,000.
"""

from __future__ import annotations

import os
import random

import pytest
from netcrier.wire.kinds import Kind

from tests.multitude import Luck, Multitude


def test_every_message_arrives_everywhere_once_in_order_and_no_forgery_does() -> None:
    seed = int(os.environ.get("NETCRIER_SEED") or random.SystemRandom().randrange(2**32))
    print(f"seed {seed}: NETCRIER_SEED={seed} repeats this run")
    outcome = Multitude(200, seed, Luck(loss=0.1, doubled=0.05, cut_off=0.1)).run(messages=20, every=0.15)
    assert outcome.deliveries == 200 * 20
    assert outcome.forged >= 60


def test_a_take_over_in_the_middle_breaks_none_of_it() -> None:
    seed = int(os.environ.get("NETCRIER_SEED") or random.SystemRandom().randrange(2**32))
    print(f"seed {seed}: NETCRIER_SEED={seed} repeats this run")
    multitude = Multitude(100, seed, Luck(loss=0.1, doubled=0.05, cut_off=0.1))
    outcome = multitude.run(messages=20, every=0.15, take_over=True)
    assert outcome.deliveries == 100 * 20
    assert {lane.term for node in multitude.nodes for lane in node.listener.inbox.lanes} == {2}


def test_with_good_luck_a_delivery_costs_one_report_and_nothing_is_asked_for() -> None:
    multitude = Multitude(300, seed=5, luck=Luck(loss=0, doubled=0, delay=0.001, cut_off=0))
    outcome = multitude.run(messages=20, every=0.3)
    assert multitude.said[Kind.MESSAGE] == 20
    assert outcome.deliveries <= multitude.said[Kind.REPORT] <= 1.1 * outcome.deliveries
    assert set(multitude.said) == {Kind.BEACON, Kind.MESSAGE, Kind.REPORT}


@pytest.mark.parametrize("fault", ["lost", "twice", "order", "forged", "unknown"])
def test_a_broken_promise_is_noticed(fault: str) -> None:
    multitude = Multitude(5, seed=3)
    multitude.run(messages=4, every=0.1)
    node = multitude.nodes[2]
    if fault == "lost":
        node.log.pop()
    elif fault == "twice":
        node.log.append(node.log[0])
    elif fault == "order":
        queue = [place for place, message in enumerate(node.log) if message.lane == 0]
        node.log.insert(queue[0], node.log.pop(queue[-1]))
    elif fault == "forged":
        multitude.sent[node.log[0]] = b"another"
    else:
        multitude.net.completed.pop()
    with pytest.raises(AssertionError, match="seed 3"):
        multitude.check()
