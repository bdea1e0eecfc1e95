"""The balance: what was received is the sum of what became of it, whatever was lost and where."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from netcrier.analyzerd.balance import Balance, Unrecorded, balance
from netcrier.analyzerd.logs.stats import line, packets
from netcrier.analyzerd.worker import Counts
from netcrier.control.types.analyzer import StatsRow

NUMBER = st.integers(0, 1 << 40)


def counts(analysed: int, not_ip: int, budget: int, broken: int, copies: int, dropped: int) -> Counts:
    engine = {
        "received": analysed + not_ip + budget + broken, "analysed": analysed, "not_ip": not_ip, "over_budget": budget,
        "undecodable": broken, "copies": copies,
    }  # fmt: skip
    return Counts(engine, 0, dropped, 0, 32, 0.0)


@given(st.lists(st.builds(counts, NUMBER, NUMBER, NUMBER, NUMBER, NUMBER, NUMBER), max_size=4), NUMBER, NUMBER)
def test_it_holds_for_any_counts(workers: list[Counts], missed: int, unrecorded: int) -> None:
    one = balance(workers, missed, unrecorded)
    assert one.received == one.analysed + one.filtered + one.dropped + one.undecodable
    assert min(one.analysed, one.disk, one.received) >= 0
    assert one.kernel == missed
    double = one + one
    assert double.received == double.analysed + double.filtered + double.dropped + double.undecodable
    assert double - one == one


def test_packets_of_lost_records_are_counted_by_interface_and_interim_records_are_not() -> None:
    lost = Unrecorded()
    rows = [
        {"interface": "eth0", "orig_pkts": 3, "resp_pkts": 4},
        {"interface": "eth1", "orig_pkts": 1, "resp_pkts": 0},
        {"interface": "eth0", "orig_pkts": 9, "resp_pkts": 9, "partial": True},
    ]
    lost.lost("conn", b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    lost.lost("stats", b"anything\n")
    assert (lost.of("eth0"), lost.of("eth1"), lost.of("eth2")) == (7, 1, 0)


def test_a_line_of_stats_log_is_flat() -> None:
    one = packets(Balance(received=5, analysed=4, ring=1))
    row = StatsRow(
        interface="eth0", interval=10.0, delta=one, total=one, conversations=1, conversations_most=9, evicted=0,
        blocks_waiting=0, blocks=32, lag=0.0,
    )  # fmt: skip
    written = json.loads(line(row, 1.5))
    assert (written["ts"], written["received"], written["total_dropped_ring"]) == (1.5, 5, 1)
    assert not {"delta", "total", "lines"} & set(written)
