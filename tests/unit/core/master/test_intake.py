"""The receipt window follows what the master has been seen to take in."""

from __future__ import annotations

import pytest
from netcrier.core.master.intake import BURST, CALM, INTAKE_LEAST, Intake
from netcrier.core.pacing import RECEIPTS_PER_SECOND, receipt_window
from netcrier.wire.message import decode_message

from tests.network import Network


def test_drops_of_one_burst_halve_it_once_and_bursts_no_further_than_its_least() -> None:
    intake = Intake()
    intake.look(10, 100.0)
    intake.look(20, 100.0 + BURST / 2)
    assert intake.per_second == RECEIPTS_PER_SECOND // 2
    for burst in range(1, 10):
        intake.look(20 + burst, 100.0 + burst * BURST)
    assert intake.per_second == INTAKE_LEAST


def test_each_calm_minute_doubles_it_up_to_the_best() -> None:
    intake = Intake()
    for burst in range(3):
        intake.look(burst + 1, 100.0 + burst * BURST)
    last = 100.0 + 2 * BURST
    found = []
    for minute in (0.5, 1, 1.5, 2, 3, 4):
        intake.look(3, last + minute * CALM)
        found.append(RECEIPTS_PER_SECOND // intake.per_second)
    assert found == [8, 4, 4, 2, 1, 1]


def test_drops_from_before_the_first_look_count() -> None:
    intake = Intake()
    intake.look(0, 0.0)
    assert intake.per_second == RECEIPTS_PER_SECOND
    intake.look(1, 0.5)
    assert intake.per_second == RECEIPTS_PER_SECOND // 2


def test_the_window_of_messages_is_wider_after_a_loss() -> None:
    net = Network(50, seed=71)
    net.run(10, until=lambda: len(net.master.roster.members()) == 50)
    assert net.master.window == receipt_window(50) == pytest.approx(0.0025)
    net.master.herald.intake.look(1, net.now)
    assert net.master.window == pytest.approx(0.005)
    assert decode_message(net.broadcast(b"spread").plaintext).window_us == 5000
