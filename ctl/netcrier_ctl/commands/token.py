"""Make a join token, alone on standard output. It closes an open group: nodes without a token then wait."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from netcrier.control.methods import TOKEN_CREATE
from netcrier.control.types.master import TokenRequest

from netcrier_ctl.exit_codes import Exit
from netcrier_ctl.options import duration
from netcrier_ctl.session import Session
from netcrier_ctl.units import clock


def add(parser: ArgumentParser) -> None:
    """For how long and how many."""
    parser.add_argument("--ttl", type=duration, metavar="TIME", help="usable for so long, as 1h (until replaced)")
    parser.add_argument("--once", action="store_true", help="for one node only")


def run(session: Session, args: Namespace) -> Exit:
    """What the token changes is said on standard error."""
    with session.connect(session.unit("masterd")) as client:
        token = client.call(TOKEN_CREATE, TokenRequest(ttl=args.ttl, once=args.once))
    if session.options.json:
        session.document("token", token)
        return Exit.DONE
    session.screen.line(token.token)
    if token.closed_now:
        session.screen.note("the group was open and is closed now; who joined without a token waits: netctl nodes")
    uses = "one node may use it" if args.once else "any number of nodes may use it"
    until = f" until {clock(token.expires, session.now())}" if token.expires is not None else ""
    session.screen.note(f"a secret; {uses}{until}; on a node: netctl join --token-file FILE")
    return Exit.DONE
