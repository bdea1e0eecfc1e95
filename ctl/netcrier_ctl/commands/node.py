"""Show a node; let it into the group, shut it out, or take it out of the roster."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from netcrier.control.client import Client
from netcrier.control.methods import NODE_APPROVE, NODE_FORGET, NODE_REVOKE, NODES
from netcrier.control.types.roster import NodeRequest, NodeRow, NodesRequest

from netcrier_ctl.commands.nodes import note_of
from netcrier_ctl.complaint import Failure
from netcrier_ctl.exit_codes import Exit
from netcrier_ctl.render import printable
from netcrier_ctl.session import Session
from netcrier_ctl.units import milliseconds, since


def add(parser: ArgumentParser) -> None:
    """What to do with which nodes."""
    parser.add_argument(
        "action", choices=tuple(_ACTIONS),
        help="show: all that is known; approve: let in; revoke: shut out at once, the group key changes;"
        " forget: expect nothing more",
    )  # fmt: skip
    parser.add_argument("nodes", nargs="+", metavar="NODE", help="its name, or the beginning of its id")


def run(session: Session, args: Namespace) -> Exit:
    """In the order given; ends at the first that fails."""
    with session.connect(session.unit("masterd")) as client:
        for name in args.nodes:
            _ACTIONS[args.action](session, client, name)
    if session.options.json and args.action != "show":
        session.document("node", {"action": args.action, "nodes": args.nodes})
    return Exit.DONE


def _show(session: Session, client: Client, name: str) -> None:
    rows = [row for row in client.call(NODES, NodesRequest()).rows if _is_meant(row, name)]
    if not rows:
        raise Failure(Exit.NOTHING_MATCHED, f"no node is named {printable(name)}", "netctl nodes lists them")
    for row in rows:
        if session.options.json:
            session.document("node", {"action": "show", "node": row})
        else:
            facts = [("id", row.node), ("address", row.address), ("state", row.state), ("trust", row.trust)]
            facts += [("last heard", since(row.seen, session.now())), ("round trip", milliseconds(row.rtt_ms))]
            facts += [("behind", f"{row.behind:,}"), ("via", row.via)]
            facts += [("tag", f"{key}={value}") for key, value in sorted(row.tags.items())]
            facts.append(("note", note_of(row)))
            session.screen.result(printable(row.name))
            session.screen.lines(f"  {label:<12}{printable(value)}" for label, value in facts if value)


def _is_meant(row: NodeRow, name: str) -> bool:
    return row.name == name or (len(name) >= 4 and row.node.startswith(name.lower()))


def _approve(session: Session, client: Client, name: str) -> None:
    client.call(NODE_APPROVE, NodeRequest(name))
    _said(session, f"{printable(name)} is let in; it gets the key when it asks next")


def _revoke(session: Session, client: Client, name: str) -> None:
    revoked = client.call(NODE_REVOKE, NodeRequest(name))
    _said(session, f"{printable(name)} is out; the group key is of epoch {revoked.epoch} now")
    if revoked.closed_now:
        session.screen.note("the group was open and is closed now; who joins next needs a token or waits")
    if revoked.void_token:
        token = f"{revoked.void_token[:8]}…"
        session.screen.note(f"it knows the token by which it had joined: {token} is void; netctl token makes another")


def _forget(session: Session, client: Client, name: str) -> None:
    client.call(NODE_FORGET, NodeRequest(name))
    _said(session, f"{printable(name)} is forgotten; nothing is expected from it")


def _said(session: Session, text: str) -> None:
    if not session.options.json:
        session.screen.result(text)


_ACTIONS = {"show": _show, "approve": _approve, "revoke": _revoke, "forget": _forget}
