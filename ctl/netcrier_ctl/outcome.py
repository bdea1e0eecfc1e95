"""What became of one message, in numbers and in words: who has it, how fast, who is missing and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from netcrier.control.types.broadcast import ReceiptRow, Receipts

from netcrier_ctl.render import listing, printable
from netcrier_ctl.units import clock, milliseconds, since

HAVE = frozenset({"received", "delivered", "handled"})
"""The states of a node that has the message; every other one is missing it."""

REFUSALS = {1: "its tags do not match", 2: "it cannot read the selector"}
"""What the code of a refusal says."""

_LONG_MS = 1000.0
"""From here on percentiles have units of their own: a node came back much later than the others had it."""

NAMED = 10
"""Missing nodes that are listed by name; the others are counted."""


class Outcome(Struct, frozen=True, kw_only=True):
    """The receipts of one message, summed up."""

    id: str
    expected: int
    received: int
    complete_ms: float | None
    """Milliseconds to the newest receipt; None without one."""
    p50_ms: float | None
    p99_ms: float | None
    missing: list[ReceiptRow]
    unexpected: list[ReceiptRow]
    """Nodes that have it and were not expected to."""
    failed: list[ReceiptRow]
    """Nodes that have it and whose handlers did not end well."""
    until: float | None
    """Epoch seconds until when who is away can still get it; None: no bound by time."""

    def fields(self) -> dict[str, Any]:
        """For JSON, without the id."""
        return {name: getattr(self, name) for name in self.__struct_fields__ if name != "id"}


def outcome_of(receipts: Receipts) -> Outcome:
    """Sum up."""
    expected = [row for row in receipts.rows if not row.unexpected]
    times = sorted(row.after_ms for row in expected if row.after_ms is not None)
    ends = [end for end in (receipts.expires, receipts.kept_until) if end is not None]
    return Outcome(
        id=receipts.id,
        expected=receipts.expected,
        received=receipts.received,
        complete_ms=times[-1] if times else None,
        p50_ms=percentile(times, 50),
        p99_ms=percentile(times, 99),
        missing=[row for row in expected if row.state not in HAVE],
        unexpected=[row for row in receipts.rows if row.unexpected],
        failed=[row for row in receipts.rows if row.state == "handled" and row.code],
        until=min(ends, default=None),
    )


def percentile(ordered: Sequence[float], percent: int) -> float | None:
    """The nearest-rank percentile of ascending values; None of none."""
    return ordered[-(-len(ordered) * percent // 100) - 1] if ordered else None


def result_line(outcome: Outcome) -> str:
    """`#1285  48 of 50 received in 7 ms (p50 3.1, p99 6.4)`."""
    if not outcome.expected:
        return f"#{outcome.id}  sent; no node is known that could receive it: netctl nodes"
    head = f"#{outcome.id}  {outcome.received:,} of {outcome.expected:,} received"
    if outcome.complete_ms is None:
        return head
    percentiles = ""
    if outcome.received > 1 and outcome.p50_ms is not None and outcome.p99_ms is not None:
        figures = (outcome.p50_ms, outcome.p99_ms)
        long = outcome.p99_ms >= _LONG_MS
        p50, p99 = (milliseconds(figure) if long else f"{figure:.1f}" for figure in figures)
        percentiles = f" (p50 {p50}, p99 {p99})"
    return f"{head} in {milliseconds(outcome.complete_ms)}{percentiles}"


def missing_line(outcome: Outcome, now: float) -> str:
    """`missing: rack7-n3 (last seen 12 s ago), rack7-n4 (away 2 h; gets it when it returns)`; empty where none is."""
    if not outcome.missing:
        return ""
    names = [f"{printable(row.name)} ({_word(row)}{why(row, now, outcome.until)})" for row in outcome.missing]
    more = f": netctl receipts {outcome.id}" if len(names) > NAMED else ""
    return f"missing: {listing(names, NAMED)}{more}"


def _word(row: ReceiptRow) -> str:
    return "refused: " if row.state == "refused" else ""


def unexpected_line(outcome: Outcome) -> str:
    """`unexpected: rack7-n9; …`; empty where no node is."""
    if not outcome.unexpected:
        return ""
    names = [printable(row.name) for row in outcome.unexpected]
    return f"unexpected: {listing(names, NAMED)}; by their own tags it is for them"


def failed_line(outcome: Outcome) -> str:
    """`handlers failed: n2 (handler exit 3)`; empty where none is known to have."""
    if not outcome.failed:
        return ""
    names = [f"{printable(row.name)} ({printable(row.reason)})" for row in outcome.failed]
    more = f": netctl receipts {outcome.id}" if len(names) > NAMED else ""
    return f"handlers failed: {listing(names, NAMED)}{more}"


def why(row: ReceiptRow, now: float, until: float | None = None) -> str:
    """Why the node is missing a message that can be got until `until`."""
    silent = since(row.seen, now)
    if row.state == "offline":
        end = f", until {clock(until, now)}" if until is not None else ""
        return f"away {silent}; gets it when it returns{end}"
    if row.state == "refused":
        return REFUSALS.get(row.code, f"reason {row.code}")
    if row.state in _FINAL:
        return _FINAL[row.state]
    return f"last seen {silent} ago" if row.seen is not None and not silent.startswith("since") else silent


_FINAL = {
    "expired": "its time ran out",
    "missed": "its time ran out before it came",
    "gap": "no longer kept when it came back",
    "revoked": "shut out before it had it",
    "duplicate": "two machines use its identity: which of them has it is not known",
}
"""What is said of a node from which nothing more is waited for."""
