"""Who has a message, and how long it took. Ends with 5 where some receipts are missing."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from netcrier.control.methods import RECEIPTS
from netcrier.control.types.broadcast import ReceiptRow, ReceiptsRequest

from netcrier_ctl.exit_codes import Exit
from netcrier_ctl.outcome import outcome_of, result_line
from netcrier_ctl.render import Column, printable, table
from netcrier_ctl.session import Session
from netcrier_ctl.units import NONE, milliseconds, since

NOW = 1.0
"""Seconds within which a node was heard `now`."""

_COLUMNS = (Column("NODE"), Column("STATE"), Column("AFTER", right=True), Column("SEEN"))


def add(parser: ArgumentParser) -> None:
    """Which message, and which nodes."""
    parser.add_argument("id", metavar="ID", help="the message, as 1284 or u7")
    parser.add_argument("--missing", action="store_true", help="only the nodes that have not answered")


def run(session: Session, args: Namespace) -> Exit:
    """One row for each node that was to receive it."""
    with session.connect(session.unit("masterd")) as client:
        receipts = client.call(RECEIPTS, ReceiptsRequest(args.id))
    outcome = outcome_of(receipts)
    rows = outcome.missing if args.missing else receipts.rows
    if session.options.json:
        fields = {name: getattr(receipts, name) for name in ("id", "sent", "size", "to", "expires", "kept")}
        session.document("receipts", {**fields, **outcome.fields(), "receipts": rows})
    else:
        session.screen.result(result_line(outcome))
        if rows:
            session.screen.lines(table(_COLUMNS, [_cells(row, session.now()) for row in rows]))
    return Exit.PARTIAL if outcome.missing else Exit.DONE


def _cells(row: ReceiptRow, now: float) -> list[str]:
    seen = NONE if row.seen is None else ("now" if now - row.seen < NOW else since(row.seen, now))
    told = printable(row.reason) or row.state
    state = f"{told}, unexpected" if row.unexpected else told
    return [row.name, state, milliseconds(row.after_ms), seen]
