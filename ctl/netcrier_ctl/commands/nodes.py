"""The nodes that the master knows: where they are, when they were last heard, what they lack."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from netcrier.control.methods import NODES
from netcrier.control.types.roster import NodeRow, NodesRequest

from netcrier_ctl.exit_codes import Exit
from netcrier_ctl.render import Column, Style, short_id, table
from netcrier_ctl.session import Session
from netcrier_ctl.units import NONE, age, milliseconds, since

NOW = 30.0
"""A node that is here and was heard within so many seconds was heard `now`."""

_COLUMNS = (
    Column("NAME"), Column("ADDRESS"), Column("SEEN"), Column("RTT"), Column("BEHIND", right=True), Column("VIA"),
    Column("TAGS"),
)  # fmt: skip
_MORE = (Column("TRUST"), Column("NODE"))
_NOTES = {
    "waiting": "waits to be let in: netctl node approve {}",
    "revoked": "is shut out: netctl node approve {} lets it in again",
    "duplicate": "two machines use this identity",
}


def add(parser: ArgumentParser) -> None:
    """Which nodes."""
    parser.add_argument("--away", action="store_true", help="only those that are silent")
    parser.add_argument(
        "--to", default="", metavar="SELECTOR", help="only those with these tags, as role=web,site!=fra"
    )


def run(session: Session, args: Namespace) -> Exit:
    """One row for each node."""
    with session.connect(session.unit("masterd")) as client:
        known = client.call(NODES, NodesRequest(to=args.to)).rows
    rows = [row for row in known if row.state == "away"] if args.away else known
    screen = session.screen
    if session.options.json:
        session.document("nodes", {"nodes": rows})
    elif rows:
        columns = (*_COLUMNS, *_MORE) if session.options.verbose else _COLUMNS
        lines = table(columns, [_cells(row, session) for row in rows])
        screen.line(screen.styled(lines[0], Style.HEAD))
        screen.lines(lines[1:])
    elif args.away:
        screen.note("no node is away")
    elif args.to:
        screen.note(f"no node matches {args.to}")
    else:
        screen.note("no node is known yet; each that hears the master enrols by itself, or by netctl join")
    return Exit.NOTHING_MATCHED if (args.away or args.to) and not rows else Exit.DONE


def _cells(row: NodeRow, session: Session) -> list[str]:
    tags = " ".join(f"{key}={value}" for key, value in sorted(row.tags.items()))
    cells = [
        row.name, row.address or NONE, _seen(row, session.now()), milliseconds(row.rtt_ms), f"{row.behind:,}",
        row.via or NONE, tags,
    ]  # fmt: skip
    if session.options.verbose:
        cells += [row.trust or NONE, row.node]
    note = note_of(row)
    return [*cells, note] if note else cells


def note_of(row: NodeRow) -> str:
    """What is to be known of a node besides, and the next step; empty where nothing is."""
    name = row.name or short_id(row.node)
    notes = [_NOTES[row.state].format(name)] if row.state in _NOTES else []
    if row.note:
        notes.append(f"{row.note}: netctl explain {name}")
    if row.gaps:
        notes.append(f"lacks {row.gaps:,} message{'s' if row.gaps > 1 else ''} no longer kept")
    if row.successor_of:
        notes.append(f"a new key under a known name; the old one: netctl node forget {row.successor_of[:8]}")
    return "; ".join(notes)


def _seen(row: NodeRow, now: float) -> str:
    if row.seen is None:
        return NONE
    silent = now - row.seen
    if row.state == "away":
        return since(row.seen, now)
    return "now" if silent < NOW else age(silent)
