"""What the taps, the logs and the process say of themselves, as rows of `stats` and of stats.log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from netcrier.analyzerd.balance import Balance, Unrecorded, balance
from netcrier.analyzerd.logs.stats import memory, packets
from netcrier.control.types.analyzer import StatsRow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netcrier.analyzerd.capture.recent import Recent
    from netcrier.analyzerd.logs.writer import LogWriter
    from netcrier.analyzerd.tap import Tap
    from netcrier.analyzerd.worker import Counts

ALL = "*"
GONE_MOST = 100
"""Interfaces that are captured no longer, of which it is known how many packets each had; of others all together."""
GIVEN_UP = ("pieces_lost", "letters_lost", "datagrams_lost", "lines_lost")
"""The engine's counters of detail that its budgets cost."""


class Meter:
    """Keeps the totals of the interval before. Used by the event loop alone."""

    def __init__(self, recent: Recent, logs: LogWriter, unrecorded: Unrecorded, most: int) -> None:
        """`most`: conversations of one table."""
        self._recent, self._logs, self._unrecorded, self._most = recent, logs, unrecorded, most
        self._begun: dict[str, Balance] = {}
        self._gone: dict[str, Balance] = {}
        """What workers that have ended had counted, without what the disk lost."""
        self._since = 0.0

    def balance(self, tap: Tap, counts: Iterable[Counts]) -> Balance:
        """Of one interface, since the start."""
        earlier = self._gone.get(tap.name, Balance())
        return balance(counts, tap.missed, self._unrecorded.of(tap.name), earlier)

    def end(self, tap: Tap, counts: Iterable[Counts]) -> None:
        """An interface is captured no longer; these are its workers' last counts."""
        self._gone[tap.name] = balance(counts, tap.missed, 0, self._gone.pop(tap.name, Balance()))
        if len(self._gone) > GONE_MOST:
            oldest = next(name for name in self._gone if name)
            for each in (self._gone, self._begun):
                each[""] = each.get("", Balance()) + each.pop(oldest, Balance())

    def rows(self, taps: Iterable[Tap], now: float) -> list[StatsRow]:
        """Over the interval that runs; `now` in seconds that never go back."""
        rows, everything = [], []
        total, before = Balance(), Balance()
        for tap in taps:
            counts = [worker.counts() for worker in tap.workers]
            mine = self.balance(tap, counts)
            begun = self._begun.get(tap.name, Balance())
            total, before = total + mine, before + begun
            everything += counts
            rows.append(self._row(tap.name, mine, begun, counts, now))
        for name in self._gone.keys() - {row.interface for row in rows}:
            mine = balance((), 0, self._unrecorded.of(name), self._gone[name])
            begun = self._begun.get(name, Balance())
            total, before = total + mine, before + begun
            if mine != begun and name:  # the last of it
                rows.append(self._row(name, mine, begun, [], now))
        rows.append(self._whole(self._row(ALL, total, before, everything, now), everything))
        return rows

    def interval(self, rows: Iterable[StatsRow], now: float) -> None:
        """The next interval begins; `rows` are those of the one that ends."""
        self._since = now
        self._begun |= {row.interface: _balance(row) for row in rows}

    def _row(self, name: str, total: Balance, before: Balance, counts: list[Counts], now: float) -> StatsRow:
        return StatsRow(
            interface=name,
            interval=round(now - self._since, 6),
            delta=packets(total - before),
            total=packets(total),
            conversations=sum(one.engine["conversations"] for one in counts),
            conversations_most=self._most * len(counts),
            evicted=sum(one.engine["evicted"] for one in counts),
            blocks_waiting=sum(one.blocks for one in counts),
            blocks=sum(one.blocks_most for one in counts),
            lag=round(max((one.lag for one in counts), default=0.0), 6),
        )

    def _whole(self, row: StatsRow, counts: list[Counts]) -> StatsRow:
        state = self._logs.state()
        given_up = {"recent_blocks": self._recent.skipped}
        given_up |= {name: sum(one.engine[name] for one in counts) for name in GIVEN_UP}
        return replace(
            row,
            log_queue=state.waiting,
            log_queue_most=state.most,
            log_lag=round(state.lag, 6),
            lines=state.written,
            lines_lost=state.lost,
            memory=memory(),
            recent=self._recent.size,
            given_up=given_up,
        )


def _balance(row: StatsRow) -> Balance:
    one = row.total
    return Balance(
        one.received, one.analysed, one.filtered, one.dropped_kernel, one.dropped_ring, one.dropped_budget,
        one.dropped_disk, one.undecodable,
    )  # fmt: skip
