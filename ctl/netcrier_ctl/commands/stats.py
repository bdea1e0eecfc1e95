"""What became of every packet over the last interval: a line for each interface, how the analyzer keeps up below."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from netcrier.control.methods import STATS
from netcrier.control.types.analyzer import Packets, StatsRow

from netcrier_ctl.exit_codes import Exit
from netcrier_ctl.render import Column, Style, aligned, table
from netcrier_ctl.session import Session
from netcrier_ctl.units import duration, milliseconds, size

ALL = "*"
"""The row of the daemon as a whole."""

_COLUMNS = (
    Column("INTERFACE"), Column("RECEIVED", right=True), Column("ANALYSED", right=True), Column("FILTERED", right=True),
    Column("KERNEL", right=True), Column("RING", right=True), Column("BUDGET", right=True), Column("DISK", right=True),
    Column("UNDECODABLE", right=True), Column("PKT/S", right=True),
)  # fmt: skip


def add(parser: ArgumentParser) -> None:
    """Of which time."""
    parser.add_argument("--total", action="store_true", help="since the start, not over the last interval")


def run(session: Session, args: Namespace) -> Exit:
    """One table."""
    with session.connect(session.unit("analyzerd")) as client:
        rows = client.call(STATS).rows
    if session.options.json:
        session.document("stats", {"rows": rows})
        return Exit.DONE
    screen = session.screen
    lines = table(_COLUMNS, [_cells(row, args.total) for row in rows], screen.width)
    screen.line(screen.styled(lines[0], Style.HEAD))
    screen.lines(lines[1:])
    whole = next(row for row in rows if row.interface == ALL)
    screen.line()
    screen.lines(aligned(_below(whole, args.total)))
    return Exit.DONE


def _cells(row: StatsRow, total: bool) -> list[str]:
    one = row.total if total else row.delta
    rate = "" if total else f"{one.received / row.interval:,.0f}" if row.interval else "0"
    name = "all" if row.interface == ALL else row.interface
    return [name, *(f"{count:,}" for count in _counts(one)), rate]


def _counts(one: Packets) -> tuple[int, ...]:
    return (
        one.received, one.analysed, one.filtered, one.dropped_kernel, one.dropped_ring, one.dropped_budget,
        one.dropped_disk, one.undecodable,
    )  # fmt: skip


def _below(row: StatsRow, total: bool) -> list[list[str]]:
    span = "since the start" if total else f"over the last {duration(row.interval)}"
    waiting = (
        f"{size(row.log_queue)} wait for {milliseconds((row.log_lag or 0) * 1000)}" if row.log_queue else "none wait"
    )
    lines = [
        ["packets", f"{span}; KERNEL to DISK is where they were dropped"],
        ["conversations", f"{row.conversations:,} of {row.conversations_most:,}, {row.evicted:,} written early"],
        ["rings", f"{row.blocks_waiting:,} of {row.blocks:,} blocks wait, {milliseconds(row.lag * 1000)} behind"],
        ["logs", f"{row.lines or 0:,} lines written, {row.lines_lost or 0:,} lost; {waiting}"],
        ["memory", f"{size(row.memory)}, of which recent packets {size(row.recent)}"],
    ]  # fmt: skip
    lost = {name: count for name, count in (row.given_up or {}).items() if count}
    if lost:
        lines.append(["given up", ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in lost.items())])
    return lines
