"""Make a join token, alone on standard output; list the tokens, or make one void. The first closes an open group: nodes
without a token then wait."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from netcrier.control.client import Client
from netcrier.control.methods import TOKEN_CREATE, TOKEN_LIST, TOKEN_REVOKE
from netcrier.control.types.trust import TokenNameRequest, TokenRequest, TokenRow

from netcrier_ctl.complaint import Failure
from netcrier_ctl.exit_codes import Exit
from netcrier_ctl.options import duration
from netcrier_ctl.render import Column, Style, printable, table
from netcrier_ctl.session import Session
from netcrier_ctl.units import NONE, clock

_COLUMNS = (Column("TOKEN"), Column("STATE"), Column("FOR"), Column("UNTIL"), Column("USED BY"))


def add(parser: ArgumentParser) -> None:
    """For how long and how many."""
    parser.add_argument(
        "action", nargs="?", choices=tuple(_ACTIONS), default="create",
        help="create (without it); list: without the secrets; revoke: nobody may use it any more",
    )  # fmt: skip
    parser.add_argument("id", nargs="?", metavar="ID", help="revoke: the token's id, or its first digits")
    parser.add_argument("--ttl", type=duration, metavar="TIME", help="create: usable for so long, as 1h")
    parser.add_argument("--once", action="store_true", help="create: for one node only")


def run(session: Session, args: Namespace) -> Exit:
    """What a new token changes is said on standard error."""
    if (args.id is not None) != (args.action == "revoke"):
        raise Failure(Exit.USAGE, "revoke names one token, the others none", "netctl token list")
    if args.action != "create" and (args.once or args.ttl is not None):
        raise Failure(Exit.USAGE, "--ttl and --once are for a new token")
    with session.connect(session.unit("masterd")) as client:
        _ACTIONS[args.action](session, client, args)
    return Exit.DONE


def _create(session: Session, client: Client, args: Namespace) -> None:
    token = client.call(TOKEN_CREATE, TokenRequest(ttl=args.ttl, once=args.once))
    if session.options.json:
        session.document("token", token)
        return
    session.screen.line(token.token)
    if token.closed_now:
        session.screen.note("the group was open and is closed now; who joined without a token waits: netctl nodes")
    uses = "one node may use it" if args.once else "any number of nodes may use it"
    until = f" until {clock(token.expires, session.now())}" if token.expires is not None else ""
    session.screen.note(f"a secret; {uses}{until}; on a node: netctl join --token-file FILE")


def _list(session: Session, client: Client, _args: Namespace) -> None:
    rows = client.call(TOKEN_LIST).rows
    if session.options.json:
        session.document("tokens", {"tokens": rows})
    elif rows:
        lines = table(_COLUMNS, [_cells(row, session.now()) for row in rows])
        session.screen.line(session.screen.styled(lines[0], Style.HEAD))
        session.screen.lines(lines[1:])
    else:
        session.screen.note("there is no token; netctl token makes one")


def _revoke(session: Session, client: Client, args: Namespace) -> None:
    client.call(TOKEN_REVOKE, TokenNameRequest(args.id))
    if session.options.json:
        session.document("token", {"action": "revoke", "token": args.id})
    else:
        session.screen.result(f"token {printable(args.id)} is void; nodes that joined by it stay: netctl node revoke")


def _cells(row: TokenRow, now: float) -> list[str]:
    until = clock(row.expires, now) if row.expires is not None else NONE
    return [row.id, row.state, "one node" if row.once else "any number", until, row.used_by or NONE]


_ACTIONS = {"create": _create, "list": _list, "revoke": _revoke}
