"""Let a waiting node into the group, or take a node out of the roster."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from netcrier.control.methods import NODE_APPROVE, NODE_FORGET
from netcrier.control.types.master import NodeRequest

from netcrier_ctl.exit_codes import Exit
from netcrier_ctl.render import printable
from netcrier_ctl.session import Session

_ACTIONS = {
    "approve": (NODE_APPROVE, "is let in; it gets the key when it asks next"),
    "forget": (NODE_FORGET, "is forgotten; nothing is expected from it"),
}


def add(parser: ArgumentParser) -> None:
    """What to do with which nodes."""
    parser.add_argument("action", choices=tuple(_ACTIONS), help="approve: let in; forget: expect nothing more")
    parser.add_argument("nodes", nargs="+", metavar="NODE", help="its name, or the beginning of its id")


def run(session: Session, args: Namespace) -> Exit:
    """In the order given; ends at the first that fails."""
    method, done = _ACTIONS[args.action]
    with session.connect(session.unit("masterd")) as client:
        for name in args.nodes:
            client.call(method, NodeRequest(name))
            if not session.options.json:
                session.screen.result(f"{printable(name)} {done}")
    if session.options.json:
        session.document("node", {"action": args.action, "nodes": args.nodes})
    return Exit.DONE
