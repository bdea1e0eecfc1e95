"""Send a message to all nodes or some; who got it is counted while receipts come, and said at the end.

Waits for the nodes that are here; those that are away are listed and get the message when they return. Ends with 5
where receipts that were waited for are missing, with 6 where no node is expected to receive it.
"""

from __future__ import annotations

import os
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from netcrier.control.client import Client
from netcrier.control.failures import Broken, Deadline
from netcrier.control.methods import BROADCAST, RECEIPTS, RECEIPTS_FOLLOW
from netcrier.control.types.broadcast import BroadcastRequest, Receipts, ReceiptsRequest, Sent

from netcrier_ctl.complaint import Failure
from netcrier_ctl.exit_codes import Exit
from netcrier_ctl.options import duration
from netcrier_ctl.outcome import HAVE, Outcome, failed_line, missing_line, outcome_of, result_line, unexpected_line

if TYPE_CHECKING:
    from netcrier_ctl.session import Session

WAIT = 5.0
"""Seconds in which receipts are waited for, unless --timeout says otherwise."""

LARGEST = 1024 * 1024
"""Bytes of a message, at most."""

RETRY_EVERY = 0.2
"""Seconds before a request is repeated to a daemon that restarts."""


class Goal(Struct, frozen=True):
    """For how many receipts to wait: `all`, `none`, a number, or a percentage of the expected."""

    number: int | None = None
    percent: float | None = None

    def of(self, expected: int) -> int:
        """How many receipts that is."""
        if self.number is not None:
            return self.number
        if self.percent is not None:
            return -int(-expected * self.percent // 100)
        return expected


def goal(text: str) -> Goal:
    """argparse's type of --wait."""
    if text in ("all", "none"):
        return Goal() if text == "all" else Goal(number=0)
    with suppress(ValueError):
        if text.endswith("%") and 0 <= float(text[:-1]) <= 100:
            return Goal(percent=float(text[:-1]))
        if text.isdecimal():
            return Goal(number=int(text))
    raise ArgumentTypeError(f"{text!r} is not all, none, a number as 40, or a percentage as 90%")


def add(parser: ArgumentParser) -> None:
    """The message, and how long to wait for whom."""
    parser.add_argument("message", help="the text; - reads it from standard input, @FILE from a file")
    parser.add_argument(
        "--wait", type=goal, default=Goal(), metavar="WHOM", help="all (that are here), none, a number, or 90%%"
    )
    parser.add_argument(
        "--to", default="", metavar="SELECTOR", help="only nodes with these tags, as role=web,site!=fra,os=~deb.*"
    )
    parser.add_argument("--ttl", type=duration, metavar="TIME", help="not delivered any more after so long, as 10m")
    parser.add_argument("--urgent", action="store_true", help="in a queue of its own, ahead of others")
    parser.add_argument(
        "--request", metavar="ID", help="unique text; the same again within a day sends nothing and tells of the first"
    )


def run(session: Session, args: Namespace) -> Exit:
    """Sends it once, even where the daemon restarts in the middle."""
    request = BroadcastRequest(
        body=body_of(session, args.message), request=args.request or os.urandom(16).hex(), lane=int(args.urgent),
        to=args.to, ttl=args.ttl,
    )  # fmt: skip
    wait = session.options.timeout or WAIT
    until = session.clock() + wait
    sent = _send(session, request, until)
    try:
        receipts = _await(session, sent, args.wait, until)
    except KeyboardInterrupt:
        session.screen.note(f"#{sent.id} is sent; netctl receipts {sent.id} tells who has it")
        raise
    except Failure as failure:
        hint = f"it goes on by itself; netctl receipts {sent.id}"
        raise Failure(failure.code, f"#{sent.id} is sent, but then {failure}", hint) from failure
    return _tell(session, sent, receipts, args.wait, request.request)


def body_of(session: Session, message: str) -> bytes:
    """The message's bytes, exactly as given. Raises Failure."""
    if message == "-":
        body = session.stdin.read(LARGEST + 1)
    elif message.startswith("@"):
        try:
            with Path(message[1:]).open("rb") as file:
                body = file.read(LARGEST + 1)
        except OSError as error:
            hint = "a text that begins with @ can come from standard input: netctl broadcast -"
            raise Failure(Exit.USAGE, f"{message[1:]}: {error.strerror}", hint) from None
    else:
        body = os.fsencode(message)
    if not body:
        raise Failure(Exit.USAGE, "the message is empty")
    if len(body) > LARGEST:
        raise Failure(Exit.USAGE, f"a message is at most {LARGEST:,} bytes", "send where the file can be fetched")
    return body


def _send(session: Session, request: BroadcastRequest, until: float) -> Sent:
    """The daemon's word that the message is durable. After a break the same request is safe to repeat."""
    unit = session.unit("masterd")
    while True:
        try:
            with session.connect(unit) as client:
                return client.call(BROADCAST, request)
        except Failure as failure:
            again = f"the same again is safe with --request {request.request}"
            if isinstance(failure.__cause__, Deadline):
                raise Failure(failure.code, f"{failure}; the message may have been sent", again) from None
            if not isinstance(failure.__cause__, Broken) or session.clock() + RETRY_EVERY >= until:
                raise
            session.sleep(RETRY_EVERY)


def _await(session: Session, sent: Sent, wanted: Goal, until: float) -> Receipts:
    """What is known once enough receipts are in, every node that is here has answered, or the time is over."""
    request = ReceiptsRequest(sent.id)
    with session.connect(session.unit("masterd")) as client:
        needed = wanted.of(sent.expected)
        if needed and sent.expected:
            first = client.call(RECEIPTS, request)
            reachable = sum(row.state not in ("offline", "duplicate") for row in first.rows)
            _count(session, client, sent, min(needed, reachable), until)
    with session.connect(session.unit("masterd")) as client:
        return client.call(RECEIPTS, request)


def _count(session: Session, client: Client, sent: Sent, needed: int, until: float) -> None:
    """Count receipts up to `needed`, or until the time is over."""
    if needed <= 0:
        return
    have: set[str] = set()
    session.screen.progress(f"#{sent.id}  0 of {sent.expected:,} received")
    with suppress(Deadline):
        for row in client.stream(RECEIPTS_FOLLOW, ReceiptsRequest(sent.id), until=until):
            if row.state not in HAVE or row.unexpected:
                continue
            have.add(row.node)
            session.screen.progress(f"#{sent.id}  {len(have):,} of {sent.expected:,} received")
            if len(have) >= needed or session.clock() >= until:
                return


def _tell(session: Session, sent: Sent, receipts: Receipts, wanted: Goal, request: str) -> Exit:
    """The final truth."""
    outcome = outcome_of(receipts)
    screen = session.screen
    if session.options.json:
        fields = {name: getattr(sent, name) for name in _SENT}
        session.document("broadcast", {**fields, "request": request, **outcome.fields()})
    else:
        again = "  (sent before: this request is known)" if sent.repeated else ""
        screen.result(result_line(outcome) + again)
        missing = missing_line(outcome, session.now())
        if missing and wanted.number != 0:
            screen.line(missing)
        for line in (unexpected_line(outcome), failed_line(outcome)):
            if line:
                screen.line(line)
    return _exit(outcome, wanted)


_SENT = ("id", "term", "lane", "sequence", "sent", "to", "expires", "repeated")


def _exit(outcome: Outcome, wanted: Goal) -> Exit:
    if wanted.number == 0:
        return Exit.DONE
    if not outcome.expected:
        return Exit.NOTHING_MATCHED
    return Exit.DONE if outcome.received >= wanted.of(outcome.expected) else Exit.PARTIAL
