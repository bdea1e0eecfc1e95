"""The methods of the control sockets of the daemons that run here; the schemas of one."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

import msgspec
from netcrier.control.methods import API_DESCRIBE, API_LIST
from netcrier.control.types.shared import DescribeRequest, MethodDescription

from netcrier_ctl.complaint import Failure
from netcrier_ctl.exit_codes import Exit
from netcrier_ctl.render import Column, Style, printable, table
from netcrier_ctl.session import Session

_COLUMNS = (Column("DAEMON"), Column("METHOD"), Column("RIGHT"), Column("ANSWER"), Column("DOES"))


def add(parser: ArgumentParser) -> None:
    """Which method."""
    parser.add_argument("method", nargs="?", metavar="METHOD", help="show what it takes and answers")


def run(session: Session, args: Namespace) -> Exit:
    """Of every daemon that runs; with --daemon of one."""
    return _describe(session, args.method) if args.method else _list(session)


def _list(session: Session) -> Exit:
    found = []
    for unit in session.running():
        with session.connect(unit) as client:
            found += [(unit, row) for row in client.call(API_LIST).rows]
    if session.options.json:
        session.document("api", {"methods": [{"daemon": unit, **msgspec.structs.asdict(row)} for unit, row in found]})
        return Exit.DONE
    rows = [[unit, row.name, row.right, "stream" if row.stream else "reply", row.doc] for unit, row in found]
    lines = table(_COLUMNS, rows, session.screen.width)
    session.screen.line(session.screen.styled(lines[0], Style.HEAD))
    session.screen.lines(lines[1:])
    return Exit.DONE


def _describe(session: Session, method: str) -> Exit:
    found: list[tuple[str, MethodDescription]] = []
    for unit in session.running():
        try:
            with session.connect(unit) as client:
                found.append((unit, client.call(API_DESCRIBE, DescribeRequest(method))))
        except Failure as failure:
            if failure.code is not Exit.NOTHING_MATCHED:
                raise
    if not found:
        raise Failure(
            Exit.NOTHING_MATCHED, f"no daemon that runs here has a method {method!r}", "netctl api lists them"
        )
    if session.options.json:
        session.document("api.method", {"methods": [{"daemon": u, **msgspec.structs.asdict(d)} for u, d in found]})
        return Exit.DONE
    for unit, description in found:
        session.screen.line(
            f"{unit} {printable(description.name)}  ({description.right})  {printable(description.doc)}"
        )
        for name in ("params", "item", "result"):
            schema = getattr(description, name)
            if schema is not None:
                text = msgspec.json.format(msgspec.json.encode(schema)).decode()
                session.screen.line(f"{name}:")
                session.screen.lines(f"  {line}" for line in text.splitlines())
    return Exit.DONE
