"""Follow the master that a join token names. It comes from standard input or a file, never from the arguments."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from netcrier.control.methods import JOIN
from netcrier.control.types.node import JoinRequest

from netcrier_ctl.complaint import Failure
from netcrier_ctl.exit_codes import Exit
from netcrier_ctl.render import printable, short_id
from netcrier_ctl.session import Session

LONGEST = 64 * 1024
"""Bytes of a token's file, at most."""


def add(parser: ArgumentParser) -> None:
    """Where the token is."""
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="the token's file (standard input)")


def run(session: Session, args: Namespace) -> Exit:
    """The node then asks that master to be let in."""
    token = token_of(session, args.token_file)
    with session.connect(session.unit("noded")) as client:
        joined = client.call(JOIN, JoinRequest(token))
    if session.options.json:
        session.document("join", joined)
    else:
        what = "follows" if joined.changed else "already follows"
        session.screen.result(f"this node {what} master {short_id(joined.master)} of group {printable(joined.group)}")
        session.screen.note("whether it is let in: netctl status")
    return Exit.DONE


def token_of(session: Session, path: Path | None) -> str:
    """The token's text. Raises Failure."""
    if path is None:
        data = _typed(session)
    else:
        try:
            with path.open("rb") as file:
                data = file.read(LONGEST)
        except OSError as error:
            raise Failure(Exit.USAGE, f"{path}: {error.strerror}") from None
    try:
        token = data.decode("ascii").strip()
    except UnicodeDecodeError:
        token = ""
    if not token or len(token.split()) > 1:
        raise Failure(Exit.USAGE, "that is no join token", "on the master: netctl token > FILE")
    return token


def _typed(session: Session) -> bytes:
    """Standard input; on a terminal it is asked for, and not shown."""
    if not session.stdin.isatty():
        return session.stdin.read(LONGEST)
    from getpass import getpass

    return getpass("join token: ").encode()
