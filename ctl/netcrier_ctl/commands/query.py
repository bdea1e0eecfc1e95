"""Run the nodes' handler of a name, and show what each answers as it comes.

A handler is a program in the nodes' handlers.d that belongs to root; it gets the text on its standard input, and what
it writes to standard output comes back. Ends with 5 where a node is silent or its handler failed, with 6 where no node
matches.
"""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace

from netcrier.control.methods import QUERY
from netcrier.control.types.question import AnswerRow, QueryRequest

from netcrier_ctl.answers import answers, exit_of_answers, summary
from netcrier_ctl.exit_codes import Exit
from netcrier_ctl.render import Style, printable
from netcrier_ctl.session import Session
from netcrier_ctl.units import size

WAIT = 10.0
"""Seconds in which nodes may answer, unless --timeout says otherwise."""


def add(parser: ArgumentParser) -> None:
    """What, and whom."""
    parser.add_argument("name", help="the handler's name")
    parser.add_argument("text", nargs="?", default="", help="what the handler reads; - takes it from standard input")
    parser.add_argument("--to", default="", metavar="SELECTOR", help="these nodes only, as role=web,site!=fra")


def run(session: Session, args: Namespace) -> Exit:
    """Each answer's lines behind the node's name, then how many there were."""
    body = session.stdin.read(1 << 20) if args.text == "-" else os.fsencode(args.text)
    request = QueryRequest(name=args.name, body=body, to=args.to, timeout=session.options.timeout or WAIT)
    rows: list[AnswerRow] = []
    for row in answers(session, QUERY, request):
        rows.append(row)
        if session.options.json:
            session.document("query", row)
        elif row.state != "silent":
            session.screen.lines(_lines(row, session))
        session.screen.flush()
    if not session.options.json:
        times = sorted(row.after_ms for row in rows if row.after_ms is not None)
        for line in summary(rows, times, session.now()):
            session.screen.note(line)
    return exit_of_answers(rows)


def _lines(row: AnswerRow, session: Session) -> list[str]:
    name = printable(row.name)
    text = row.output.decode("utf-8", "backslashreplace").splitlines()
    lines = [f"{name}: {printable(line)}" for line in text]
    if row.size > len(row.output):
        lines.append(f"{name}: … {size(row.size - len(row.output))} more were cut off")
    if row.reason or not lines:
        said = row.reason or "done"
        lines.append(f"{name}: {session.screen.styled(said, Style.BAD if row.reason else Style.GOOD)}")
    return lines
