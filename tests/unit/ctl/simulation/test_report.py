"""The figures: percentiles, what counts as whole, and the text for people."""

from __future__ import annotations

from msgspec.structs import replace
from netcrier_ctl.simulation.plan import Plan
from netcrier_ctl.simulation.report import Figures, Spread, lines_of, spread_of

WHOLE = Figures(
    deliveries=200, delivered=200, duplicates=0, false_missing=0,
    last_delivery_ms=Spread(7.5, 11.0, 11.2), last_receipt_ms=Spread(10.0, 18.0, 1234.0),
    datagrams=235, bytes=55_400, cpu_s=0.4, out_of_order=0, incomplete=0, nodes=10, loss_percent=5.0, size=256,
    messages=20, duration_s=0.3, start_s=0.6, master_cpu_s=0.06, master_resident_kib=1, node_resident_kib=1,
)  # fmt: skip


def test_percentiles_are_values_that_were_measured() -> None:
    assert spread_of([n / 1000 for n in range(200, 0, -1)]) == Spread(100.0, 198.0, 200.0)
    assert spread_of([0.0425]) == Spread(42.5, 42.5, 42.5)
    assert spread_of([]) == Spread(None, None, None)


def test_whole_is_everything_once_in_order_and_known_in_time() -> None:
    assert WHOLE.whole
    for fault in ("duplicates", "false_missing", "out_of_order", "incomplete"):
        assert not replace(WHOLE, **{fault: 1}).whole
    assert not replace(WHOLE, delivered=199).whole


def test_the_text_says_what_was_run_and_gives_figures_for_each_delivery() -> None:
    assert lines_of(WHOLE, Plan(nodes=10, count=20, loss=5.0)) == [
        "20 messages of 256 bytes to 10 nodes, 5 % lost each way, state in memory; up in 0.6 s, took 0.3 s",
        "",
        "                  P50    P99    MAX",
        "last delivery  7.5 ms  11 ms  11 ms",
        "last receipt    10 ms  18 ms  1.2 s",
        "",
        "delivered    200 of 200: 0 twice, 0 out of order, 0 falsely missing",
        "on the wire  235 datagrams, 55.4 kB: 1.18 and 277 B for each delivery",
        "CPU          0.40 s: 2.00 ms for each delivery, the master's part 0.30 ms",
    ]
