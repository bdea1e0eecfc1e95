"""One message's life, node by node: when it was sent and to whom, what each node said and when, and what is to come;
or one node's life.
"""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace

from netcrier.control.methods import NODE_EXPLAIN, RECEIPTS
from netcrier.control.types.broadcast import ReceiptRow, Receipts, ReceiptsRequest
from netcrier.control.types.roster import NodeRequest

from netcrier_ctl.exit_codes import Exit
from netcrier_ctl.node_life import facts, headline
from netcrier_ctl.outcome import HAVE, outcome_of, result_line, why
from netcrier_ctl.render import printable
from netcrier_ctl.session import Session
from netcrier_ctl.units import clock, milliseconds, size

_LABEL = 10


def add(parser: ArgumentParser) -> None:
    """Which message or node."""
    parser.add_argument(
        "what", metavar="WHAT",
        help="a message, as 1284, u7 (urgent) or 2/5 (of term 2); a node, by its name or the beginning of its id",
    )  # fmt: skip


def run(session: Session, args: Namespace) -> Exit:
    """Of a message: ends with 5 where some node is missing it."""
    return (_message if _MESSAGE.fullmatch(args.what) else _node)(session, args.what)


_MESSAGE = re.compile(r"#?(\d+/)?u?\d+")


def _node(session: Session, name: str) -> Exit:
    with session.connect(session.unit("masterd")) as client:
        life = client.call(NODE_EXPLAIN, NodeRequest(name))
    if session.options.json:
        session.document("explain", {"node": life})
    else:
        screen, now = session.screen, session.now()
        screen.result(headline(life, now))
        screen.lines(f"  {label:<{_LABEL}}{text}" for label, text in facts(life, now))
    return Exit.DONE


def _message(session: Session, name: str) -> Exit:
    with session.connect(session.unit("masterd")) as client:
        receipts = client.call(RECEIPTS, ReceiptsRequest(name))
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
