"""Messages received by this node; those sent, on a host where only masterd runs or with --daemon masterd."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from netcrier.control.failures import Broken, NotRunning
from netcrier.control.methods import MESSAGE_BODY, MESSAGES_FOLLOW, RECEIVED_MESSAGES, SENT_MESSAGES
from netcrier.control.types.broadcast import SentMessagesRequest, SentRow
from netcrier.control.types.node import FollowRequest, ReceivedMessagesRequest, ReceivedRow
from netcrier.control.types.shared import BodyRequest

from netcrier_ctl.complaint import Failure
from netcrier_ctl.exit_codes import Exit
from netcrier_ctl.options import count
from netcrier_ctl.render import Column, Style, body_text, table
from netcrier_ctl.session import Session
from netcrier_ctl.units import NONE, clock, size

ROWS = 20
"""How many are shown unless -n says otherwise."""

AGAIN = 0.5
"""Seconds before -f tries a daemon again that has gone."""

_RECEIVED = (Column("ID"), Column("RECEIVED"), Column("SIZE"), Column("MESSAGE"))
_SENT = (Column("ID"), Column("SENT"), Column("SIZE"), Column("RECEIPTS"), Column("MESSAGE"))


def add(parser: ArgumentParser) -> None:
    """How many, and whether to go on."""
    parser.add_argument("-n", type=count, default=ROWS, metavar="COUNT", help=f"how many of the newest ({ROWS})")
    parser.add_argument("-f", "--follow", action="store_true", help="go on as messages come; misses none")
    parser.add_argument("--body", metavar="ID", help="write the whole body of this message, exactly as it was sent")


def run(session: Session, args: Namespace) -> Exit:
    """The oldest first."""
    unit = session.first_running("noded", "masterd")
    with session.connect(unit) as client:
        daemon = client.welcome.daemon
    if args.body is not None:
        return _body(session, unit, args.body)
    if args.follow:
        if daemon != "noded":
            hint = f"on a node: netctl messages -f; here: netctl logs -f {daemon}"
            raise Failure(Exit.USAGE, f"{daemon} has no messages to follow", hint)
        return _follow(session, unit, args.n)
    return _list_received(session, unit, args.n) if daemon == "noded" else _list_sent(session, unit, args.n)


def _body(session: Session, unit: str, name: str) -> Exit:
    with session.connect(unit) as client:
        found = client.call(MESSAGE_BODY, BodyRequest(name))
    if session.options.json:
        session.document("message.body", found)
    else:
        session.screen.whole(found.body)
    return Exit.DONE


def _list_received(session: Session, unit: str, most: int) -> Exit:
    rows = _received(session, unit, most)
    if session.options.json:
        session.document("messages", {"messages": rows})
    else:
        _table(session, _RECEIVED, [_received_cells(row, session.now()) for row in rows], "no message was received yet")
    return Exit.DONE


def _list_sent(session: Session, unit: str, most: int) -> Exit:
    with session.connect(unit) as client:
        rows = client.call(SENT_MESSAGES, SentMessagesRequest(most)).rows if most else []
    if session.options.json:
        session.document("messages.sent", {"messages": rows})
    else:
        _table(session, _SENT, [_sent_cells(row, session.now()) for row in rows], "no message was sent yet")
    return Exit.DONE


def _received(session: Session, unit: str, most: int) -> list[ReceivedRow]:
    if not most:
        return []
    with session.connect(unit) as client:
        return client.call(RECEIVED_MESSAGES, ReceivedMessagesRequest(limit=most)).rows


def _follow(session: Session, unit: str, most: int) -> Exit:
    """The last `most`, then each that comes; goes on at the same place where the daemon restarts."""
    rows = _received(session, unit, most)
    for row in rows:
        _show(session, row)
    after = rows[-1].n if rows else (0 if most else None)
    while True:
        try:
            with session.connect(unit) as client:
                for row in client.stream(MESSAGES_FOLLOW, FollowRequest(after)):
                    after = row.n
                    _show(session, row)
                return Exit.DONE
        except Failure as failure:
            if not isinstance(failure.__cause__, Broken | NotRunning):
                raise
            session.sleep(AGAIN)


def _show(session: Session, row: ReceivedRow) -> None:
    if session.options.json:
        session.document("message", row)
    else:
        session.screen.line(f"#{row.id}  {clock(row.received, session.now())}  {_text(row)}")
    session.screen.flush()


def _table(session: Session, columns: tuple[Column, ...], rows: list[list[str]], nothing: str) -> None:
    if not rows:
        session.screen.note(nothing)
        return
    lines = table(columns, rows, session.screen.width)
    session.screen.line(session.screen.styled(lines[0], Style.HEAD))
    session.screen.lines(lines[1:])


def _received_cells(row: ReceivedRow, now: float) -> list[str]:
    length = size(row.size) if row.event == "message" else NONE
    return [f"#{row.id}", clock(row.received, now), length, _text(row)]


def _text(row: ReceivedRow) -> str:
    """The body; or why there is none."""
    if row.event == "message":
        return body_text(row.body)
    why = _WITHOUT.get(row.event, row.event)
    return f"({row.event}: {why})" if row.count == 1 else f"({row.event}: {row.count:,} messages from here on: {why})"


_WITHOUT = {"missed": "too late, the time to live was over", "gap": "no longer kept by the master"}
"""Why a node is without a message for good."""


def _sent_cells(row: SentRow, now: float) -> list[str]:
    receipts = f"{row.received:,} of {row.expected:,}"
    return [f"#{row.id}", clock(row.sent, now), size(row.size), receipts, body_text(row.body)]
