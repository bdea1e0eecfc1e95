"""Parity goes along in measure of the loss that was seen, and not where none was."""

from __future__ import annotations

import pytest
from netcrier.core.master.provision import MOST, TELLING, Provision, spare
from netcrier.core.master.rate import LOSS_TOLERATED


def provision(loss: float) -> Provision:
    one = Provision()
    one.measured([loss], TELLING)
    return one


@pytest.mark.parametrize(
    ("loss", "count", "pieces"),
    [
        (0.0, 32, 0),
        (LOSS_TOLERATED, 32, 0),
        (0.02, 32, 3),
        (0.05, 32, 5),
        (0.06, 32, 6),
        (0.06, 8, 3),
        (0.06, 1, 1),
        (0.1, 32, MOST),
        (1.0, 32, MOST),
    ],
)
def test_pieces_follow_the_loss_up_to_a_quarter_of_a_block(loss: float, count: int, pieces: int) -> None:
    assert provision(loss).pieces(count) == pieces


def test_before_the_first_measurement_nothing_goes_along() -> None:
    assert Provision().pieces(32) == 0


def test_a_tenth_of_the_nodes_may_be_bad() -> None:
    one = Provision()
    one.measured([0.0] * 9 + [0.5], TELLING)
    assert one.pieces(32) == 0


def test_a_small_message_tells_nothing() -> None:
    one = provision(0.05)
    one.measured([1.0], TELLING - 1)
    assert one.loss == 0.05


def test_where_no_node_can_use_it_none_goes_along() -> None:
    one = provision(0.05)
    one.measured([], TELLING)
    assert one.pieces(32) == 0


@pytest.mark.parametrize(
    ("pieces", "loss", "more"),
    [(5, 0.0, 0), (5, LOSS_TOLERATED, 0), (1, 0.05, 1), (16, 0.05, 1), (5, 0.4, 4), (0, 0.4, 0), (5, 1.0, 0)],
)
def test_spare_is_what_will_be_lost_of_it(pieces: int, loss: float, more: int) -> None:
    assert spare(pieces, loss) == more


def test_spare_never_more_than_doubles_what_is_sent_whatever_a_node_says_of_its_loss() -> None:
    assert spare(32, 0.5) == 32
    assert spare(32, 1023 / 1024) == 32
