"""The balance: what was received is the sum of what became of it, whatever was lost and where."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from hypothesis import given
from hypothesis import strategies as st
from netcrier.analyzerd.balance import Balance, Unrecorded, balance
from netcrier.analyzerd.capture.recent import Recent
from netcrier.analyzerd.logs.stats import line, packets
from netcrier.analyzerd.logs.writer import QueueState
from netcrier.analyzerd.meter import GIVEN_UP, GONE_MOST, Meter
from netcrier.analyzerd.worker import Counts
from netcrier.control.types.analyzer import StatsRow

if TYPE_CHECKING:
    from netcrier.analyzerd.logs.writer import LogWriter
    from netcrier.analyzerd.tap import Tap

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


class Logs:
    """Of a writer that has nothing to do."""

    def state(self) -> QueueState:
        return QueueState(0, 1, 0, 0, False, 0.0)


class Workers:
    """A tap's, as far as the meter looks: one worker that has counted so many packets."""

    def __init__(self, name: str, packets: int = 0) -> None:
        self.name, self.missed, self.workers, self.packets = name, 0, [self], packets

    def counts(self) -> Counts:
        one = counts(self.packets, 0, 0, 0, 0, 0)
        return replace(one, engine={**one.engine, "conversations": 0, "evicted": 0, **dict.fromkeys(GIVEN_UP, 0)})


class Interfaces:
    """Taps that come and go, and what the meter says of them."""

    def __init__(self) -> None:
        self.unrecorded = Unrecorded()
        self.meter = Meter(Recent(0), cast("LogWriter", Logs()), self.unrecorded, 1)
        self.taps: dict[str, Workers] = {}

    def end(self, name: str) -> None:
        tap = self.taps.pop(name)
        self.meter.end(cast("Tap", tap), [tap.counts()])

    def interval(self) -> dict[str, tuple[int, int]]:
        """Packets over it and in all, by interface."""
        rows = self.meter.rows([cast("Tap", tap) for tap in self.taps.values()], 1.0)
        self.meter.interval(rows, 1.0)
        return {row.interface: (row.delta.received, row.total.received) for row in rows}


def test_what_an_interface_had_counts_when_it_has_gone_and_when_it_is_back() -> None:
    host = Interfaces()
    host.taps = {"eth0": Workers("eth0", 10), "eth1": Workers("eth1", 5)}
    assert host.interval() == {"eth0": (10, 10), "eth1": (5, 5), "*": (15, 15)}
    host.taps["eth0"].packets += 2
    host.end("eth0")
    assert host.interval() == {"eth1": (0, 5), "eth0": (2, 12), "*": (2, 17)}
    assert host.interval() == {"eth1": (0, 5), "*": (0, 17)}
    host.taps["eth0"] = Workers("eth0", 3)
    assert host.interval() == {"eth1": (0, 5), "eth0": (3, 15), "*": (3, 20)}
    host.end("eth0")
    host.taps["eth0"] = Workers("eth0", 1)
    assert host.interval() == {"eth1": (0, 5), "eth0": (1, 16), "*": (1, 21)}


def test_interfaces_without_end_take_no_memory_without_end() -> None:
    host = Interfaces()
    for number in range(2 * GONE_MOST):
        name = f"veth{number}"
        host.taps[name] = Workers(name, 1)
        host.interval()
        host.end(name)
    assert host.interval() == {"*": (0, 2 * GONE_MOST)}
    held = (host.meter._gone, host.meter._begun)
    assert max(map(len, held)) <= GONE_MOST + 2  # the rest together, and "*"


def test_a_line_of_stats_log_is_flat() -> None:
    one = packets(Balance(received=5, analysed=4, ring=1))
    row = StatsRow(
        interface="eth0", interval=10.0, delta=one, total=one, conversations=1, conversations_most=9, evicted=0,
        blocks_waiting=0, blocks=32, lag=0.0,
    )  # fmt: skip
    written = json.loads(line(row, 1.5))
    assert (written["ts"], written["received"], written["total_dropped_ring"]) == (1.5, 5, 1)
    assert not {"delta", "total", "lines"} & set(written)
