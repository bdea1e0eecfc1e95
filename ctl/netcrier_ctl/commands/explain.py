"""One message's life, node by node: when it was sent and to whom, what each node said and when, and what is to come."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from netcrier.control.methods import RECEIPTS
from netcrier.control.types.master import ReceiptRow, Receipts, ReceiptsRequest

from netcrier_ctl.exit_codes import Exit
from netcrier_ctl.outcome import HAVE, outcome_of, result_line, why
from netcrier_ctl.render import printable
from netcrier_ctl.session import Session
from netcrier_ctl.units import clock, milliseconds, size

_LABEL = 10


def add(parser: ArgumentParser) -> None:
    """Which message."""
    parser.add_argument("id", metavar="MESSAGE", help="as 1284, or u7 for an urgent one")


def run(session: Session, args: Namespace) -> Exit:
    """Ends with 5 where some node is missing it."""
    with session.connect(session.unit("masterd")) as client:
        receipts = client.call(RECEIPTS, ReceiptsRequest(args.id))
    outcome = outcome_of(receipts)
    if session.options.json:
        fields = {name: getattr(receipts, name) for name in receipts.__struct_fields__ if name != "rows"}
        session.document("explain", {**fields, "nodes": receipts.rows})
    else:
        screen, now = session.screen, session.now()
        screen.result(result_line(outcome))
        screen.lines(f"  {label:<{_LABEL}}{text}" for label, text in _facts(receipts, now))
        width = max((len(printable(row.name)) for row in receipts.rows), default=0)
        screen.lines(f"  {printable(row.name):<{width}}  {_life(row, now, outcome.until)}" for row in receipts.rows)
    return Exit.PARTIAL if outcome.missing else Exit.DONE


def _facts(receipts: Receipts, now: float) -> list[tuple[str, str]]:
    """What holds for all nodes."""
    whom = f"nodes with {printable(receipts.to)}" if receipts.to else "all nodes"
    facts = [("sent", f"{clock(receipts.sent, now)}, {size(receipts.size)}, to {whom}: {receipts.expected:,} expected")]
    if receipts.expires is not None:
        verb = "expires" if receipts.expires > now else "expired"
        facts.append((verb, clock(receipts.expires, now)))
    if not receipts.kept:
        facts.append(("kept", "no more; only its receipts are known"))
    elif receipts.kept_until is not None:
        facts.append(("kept", f"until {clock(receipts.kept_until, now)} at most, for who is away"))
    return facts


def _life(row: ReceiptRow, now: float, until: float | None) -> str:
    """`received after 3.1 ms, delivered after 3.4 ms; sent again twice`."""
    told = []
    if row.after_ms is not None:
        told.append(f"received after {milliseconds(row.after_ms)}")
    if row.state in HAVE - {"received"}:
        told.append(f"{printable(row.reason) or row.state} after {milliseconds(row.last_ms)}")
    if row.state not in HAVE:
        after = f" after {milliseconds(row.last_ms)}" if row.last_ms is not None else ""
        told.append(f"{row.state}{after}: {why(row, now, until)}")
    text = ", ".join(told)
    if row.repeats:
        text += f"; sent again {'once' if row.repeats == 1 else f'{row.repeats:,} times'}"
    return f"{text}; unexpected: its own tags match" if row.unexpected else text
