"""Packets as pcapng, to a file or a pipe: those that come, or with --last those of the last seconds, which are kept.

Ends at its limits, at Ctrl-C, and when who reads the pipe has left. Ends with 6 where no packet was there.
"""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO

from netcrier.control.failures import Deadline
from netcrier.control.methods import CAPTURE
from netcrier.control.types.analyzer import CaptureRequest

from netcrier_ctl.complaint import Failure
from netcrier_ctl.exit_codes import Exit
from netcrier_ctl.options import duration
from netcrier_ctl.session import Session
from netcrier_ctl.units import size

PIPE = Path("-")


def number(text: str) -> int:
    """argparse's type of a positive number."""
    if not text.isdecimal() or not 0 < int(text) < 1 << 40:
        raise ArgumentTypeError(f"{text!r} is not a number of at least 1")
    return int(text)


def add(parser: ArgumentParser) -> None:
    """Which packets, and where they go."""
    parser.add_argument("filter", nargs="*", metavar="FILTER", help="packets that match, as tcpdump's: udp port 53")
    parser.add_argument("-w", dest="file", type=Path, metavar="FILE", help="write here; - is standard output")
    parser.add_argument("--last", type=duration, metavar="TIME", help="the packets of the last TIME, as 60s, then end")
    parser.add_argument("-f", "--follow", action="store_true", help="with --last: go on with what comes")
    parser.add_argument("--interface", metavar="NAME", help="only of this one")
    parser.add_argument("--snap", type=number, default=0, metavar="BYTES", help="so many of each packet")
    parser.add_argument("-n", type=number, metavar="COUNT", help="end after so many packets")
    parser.add_argument("--for", dest="span", type=duration, metavar="TIME", help="end after TIME, as 10s")


def run(session: Session, args: Namespace) -> Exit:
    """Writes as packets come."""
    if args.file in (None, PIPE) and session.screen.terminal:
        raise Failure(Exit.USAGE, "packets do not go to a terminal", "-w FILE, or: netctl capture | wireshark -k -i -")
    request = CaptureRequest(
        last=args.last, follow=args.follow or args.last is None, filter=" ".join(args.filter),
        interface=args.interface, snap=args.snap, packets=args.n,
    )  # fmt: skip
    tally = Tally(session)
    with ExitStack() as stack:
        write: Callable[[bytes], object] = session.screen.binary
        if args.file not in (None, PIPE):
            write = stack.enter_context(_create(args.file)).write
        try:
            with suppress(KeyboardInterrupt):  # the end that was asked for
                _stream(session, request, args, write, tally)
        finally:
            tally.say()
    return Exit.DONE if tally.packets else Exit.NOTHING_MATCHED


class Tally:
    """What was written."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.packets = self.bytes = self.missed = 0

    def say(self) -> None:
        """On standard error: standard output may be the capture. Nothing where nothing was sent, not even the head."""
        if not self.bytes:
            return
        screen = self._session.screen
        screen.note(f"{self.packets:,} packet{'' if self.packets == 1 else 's'}, {size(self.bytes)}")
        if self.missed:
            screen.note(f"{self.missed:,} blocks of packets came faster than they could be sent and are not in it")


def _stream(
    session: Session, request: CaptureRequest, args: Namespace, write: Callable[[bytes], object], tally: Tally
) -> None:
    until = None if args.span is None else session.clock() + args.span
    with session.connect(session.unit("analyzerd")) as client:
        try:
            for part in client.stream(CAPTURE, request, until=until):
                write(part.data)
                session.screen.flush()
                tally.packets += part.packets
                tally.bytes += len(part.data)
                tally.missed += part.missed
                session.screen.progress(f"{tally.packets:,} packets, {size(tally.bytes)}")
        except Deadline:
            if until is None:
                raise


def _create(path: Path) -> BinaryIO:
    try:
        return path.open("wb")
    except OSError as error:
        raise Failure(Exit.FAILED, f"{path}: {error.strerror}") from None
