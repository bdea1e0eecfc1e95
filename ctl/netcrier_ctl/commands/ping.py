"""Measure the round trip to every node, and say who is silent.

The time is the network's: what a node waited for its turn is taken off. Ends with 5 where a node is silent, with 6
where none matches.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from netcrier.control.methods import PING
from netcrier.control.types.question import AnswerRow, PingRequest

from netcrier_ctl.answers import answers, exit_of_answers, summary
from netcrier_ctl.exit_codes import Exit
from netcrier_ctl.render import Column, Style, table
from netcrier_ctl.session import Session
from netcrier_ctl.units import NONE, milliseconds

WAIT = 2.0
"""Seconds in which nodes may answer, unless --timeout says otherwise."""

_COLUMNS = (Column("NAME"), Column("ADDRESS"), Column("RTT", right=True))


def add(parser: ArgumentParser) -> None:
    """Whom."""
    parser.add_argument("--to", default="", metavar="SELECTOR", help="these nodes only, as role=web,site!=fra")


def run(session: Session, args: Namespace) -> Exit:
    """A row for each node, the quickest first."""
    request = PingRequest(to=args.to, timeout=session.options.timeout or WAIT)
    rows: list[AnswerRow] = []
    for row in answers(session, PING, request):
        rows.append(row)
        session.screen.progress(f"{len(rows):,} answered")
    rows.sort(key=lambda row: (row.state == "silent", row.rtt_ms is None, row.rtt_ms or 0.0, row.name))
    times = [row.rtt_ms for row in rows if row.rtt_ms is not None]
    screen = session.screen
    if session.options.json:
        fields = ("node", "name", "address", "state", "rtt_ms", "after_ms", "seen")
        session.document("ping", {"nodes": [{name: getattr(row, name) for name in fields} for row in rows]})
    else:
        lines = table(_COLUMNS, [_cells(row) for row in rows])
        screen.line(screen.styled(lines[0], Style.HEAD))
        screen.lines(lines[1:])
        screen.lines(summary(rows, times, session.now()))
    return exit_of_answers(rows)


def _cells(row: AnswerRow) -> list[str]:
    cells = [row.name, row.address or NONE, milliseconds(row.rtt_ms)]
    if row.state == "silent":
        return [*cells, "silent"]
    return cells if row.rtt_ms is not None else [*cells, "answered when asked again"]
