"""What nodes answered to a question, in words: who was silent, how long it took, and the exit status of it all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from netcrier.control.types.question import AnswerRow, PingRequest, QueryRequest

from netcrier_ctl.exit_codes import Exit
from netcrier_ctl.outcome import NAMED, percentile
from netcrier_ctl.render import listing, printable
from netcrier_ctl.session import Session
from netcrier_ctl.units import milliseconds, since

GRACE = 5.0
"""Seconds beyond the question's own time before the daemon itself is given up."""


def answers(session: Session, method: Any, request: PingRequest | QueryRequest) -> Iterator[AnswerRow]:
    """Rows as they come, the silent ones at the end. `method` is PING or QUERY."""
    until = session.clock() + request.timeout + GRACE
    with session.connect(session.unit("masterd")) as client:
        yield from client.stream(method, request, until=until)


def summary(rows: Sequence[AnswerRow], times: Sequence[float], now: float) -> list[str]:
    """`47 of 50 answered, 1 failed, p50 0.4 ms, p99 2.1 ms`, then who was silent. `times`: milliseconds, ascending."""
    count = Counter(row.state for row in rows)
    silent = [f"{printable(row.name)} ({_last_heard(row, now)})" for row in rows if row.state == "silent"]
    said = f"{count['answered']:,} of {len(rows):,} answered"
    said += "".join(f", {count[state]:,} {state}" for state in ("failed", "refused") if count[state])
    if times:
        said += f", p50 {milliseconds(percentile(times, 50))}, p99 {milliseconds(percentile(times, 99))}"
    return [said, f"silent: {listing(silent, NAMED)}"] if silent else [said]


def exit_of_answers(rows: Sequence[AnswerRow]) -> Exit:
    """Whether everyone answered, and answered well."""
    return Exit.DONE if all(row.state == "answered" for row in rows) else Exit.PARTIAL


def _last_heard(row: AnswerRow, now: float) -> str:
    return "never heard" if row.seen is None else f"last seen {since(row.seen, now)} ago"
