"""Who talks most now: by host, conversation, port or protocol, from two looks at the analyzer's table.

On a terminal it goes on, a look a second, until Ctrl-C; elsewhere, with --json and with -n it ends.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Mapping

import msgspec
from netcrier.control.client import Client
from netcrier.control.methods import FLOWS
from netcrier.control.types.analyzer import FlowRow, FlowsRequest

from netcrier_ctl.exit_codes import Exit
from netcrier_ctl.options import count, duration
from netcrier_ctl.render import Column, Style, table
from netcrier_ctl.session import Session
from netcrier_ctl.units import size

ROWS = 20
"""How many are shown unless --rows says otherwise."""

ACTIVE = 10.0
"""Seconds in which a conversation of a large table must have had a packet to be looked at."""

LOOK = 10_000
"""Conversations of a look: as many as the daemon gives."""

_CLEAR = "\x1b[H\x1b[J"

_COLUMNS = (
    Column("CONVERSATIONS", right=True), Column("PKT/S", right=True), Column("SENT/S", right=True),
    Column("RECEIVED/S", right=True), Column("SENT", right=True), Column("RECEIVED", right=True),
)  # fmt: skip


class Share(msgspec.Struct, kw_only=True):
    """What one of them has; rates are by the second, sizes in IP bytes. A host sends what it originates."""

    name: str
    conversations: int = 0
    packets_per_s: float = 0.0
    sent_per_s: float = 0.0
    received_per_s: float = 0.0
    sent: int = 0
    received: int = 0


def _end(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _hosts(row: FlowRow) -> list[tuple[str, bool]]:
    return [(row.orig, False), (row.resp, True)]


def _conversation(row: FlowRow) -> list[tuple[str, bool]]:
    return [(f"{row.proto} {_end(row.orig, row.orig_port)} > {_end(row.resp, row.resp_port)}", False)]


def _port(row: FlowRow) -> list[tuple[str, bool]]:
    return [(f"{row.proto}/{row.resp_port}" if row.proto in ("tcp", "udp") else row.proto, False)]


def _proto(row: FlowRow) -> list[tuple[str, bool]]:
    return [(row.proto, False)]


KEYS: Mapping[str, Callable[[FlowRow], list[tuple[str, bool]]]] = {
    "host": _hosts, "conversation": _conversation, "port": _port, "proto": _proto,
}  # fmt: skip
"""What a conversation counts for, and whether its two directions change places there."""


def add(parser: ArgumentParser) -> None:
    """By what, how many, how often."""
    parser.add_argument("--by", choices=tuple(KEYS), default="host", help="what is counted (host)")
    parser.add_argument("--rows", type=count, default=ROWS, metavar="COUNT", help=f"how many are shown ({ROWS})")
    parser.add_argument("--every", type=duration, default=1.0, metavar="TIME", help="between two looks (1s)")
    parser.add_argument("-n", type=count, metavar="COUNT", help="end after so many tables (a terminal: never)")


def run(session: Session, args: Namespace) -> Exit:
    """Ends with 6 where nobody talks."""
    most = args.n if args.n is not None else (None if session.screen.terminal and not session.options.json else 1)
    shown, found = 0, False
    with session.connect(session.unit("analyzerd")) as client:
        before, at = _look(client), session.clock()
        while most is None or shown < most:
            session.sleep(args.every)
            after, now = _look(client), session.clock()
            seconds = max(now - at, 1e-3)
            shares = ranked(before, after, seconds, KEYS[args.by], session.now() - seconds)
            before, at = after, now
            _show(session, args.by, shares[: args.rows], most != 1)
            shown += 1
            found = found or bool(shares)
    return Exit.DONE if found else Exit.NOTHING_MATCHED


def ranked(
    before: Mapping[str, FlowRow], after: Mapping[str, FlowRow], seconds: float,
    keys: Callable[[FlowRow], Iterable[tuple[str, bool]]], since: float = 0.0,
) -> list[Share]:  # fmt: skip
    """Shares, who has most bytes by the second first; `before` and `after` by uid. What is not in `before` and is
    older than `since` was not looked at then: how much of it is new is not known, and not guessed."""
    shares: dict[str, Share] = {}
    for uid, row in after.items():
        old = before.get(uid) or (row if row.start < since else None)
        sent = row.sent - (old.sent if old else 0)
        received = row.received - (old.received if old else 0)
        packets = row.packets_sent + row.packets_received
        packets -= old.packets_sent + old.packets_received if old else 0
        for name, turned in keys(row):
            share = shares.setdefault(name, Share(name=name))
            share.conversations += 1
            share.packets_per_s += packets / seconds
            share.sent_per_s += (received if turned else sent) / seconds
            share.received_per_s += (sent if turned else received) / seconds
            share.sent += row.received if turned else row.sent
            share.received += row.sent if turned else row.received
    return sorted(
        shares.values(), key=lambda one: (-(one.sent_per_s + one.received_per_s), -(one.sent + one.received), one.name)
    )


def _look(client: Client) -> dict[str, FlowRow]:
    """All of a small table; of a large one the largest of those in which something goes on."""
    answer = client.call(FLOWS, FlowsRequest(limit=LOOK))
    if answer.total > len(answer.rows):
        answer = client.call(FLOWS, FlowsRequest(limit=LOOK, active=ACTIVE, largest=True))
    return {row.uid: row for row in answer.rows}


def _show(session: Session, by: str, shares: list[Share], again: bool) -> None:
    screen = session.screen
    if session.options.json:
        session.document("top", {"by": by, "rows": shares})
        screen.flush()
        return
    if again and screen.terminal:
        screen.write(_CLEAR)
    lines = table((Column(by.upper()), *_COLUMNS), [_cells(share) for share in shares], screen.width)
    screen.line(screen.styled(lines[0], Style.HEAD))
    screen.lines(lines[1:])
    screen.flush()


def _cells(share: Share) -> list[str]:
    return [
        share.name, f"{share.conversations:,}", f"{share.packets_per_s:,.0f}", size(round(share.sent_per_s)),
        size(round(share.received_per_s)), size(share.sent), size(share.received),
    ]  # fmt: skip
