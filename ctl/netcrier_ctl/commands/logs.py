"""The daemons' JSON logs, merged by time: the last lines, and with -f what comes, across rotation.

`netctl logs reopen` makes daemons open their log files anew, after a rotation.
"""

from __future__ import annotations

import heapq
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from itertools import chain, islice
from pathlib import Path
from typing import Any

import msgspec
from netcrier.control.methods import LOGS_REOPEN
from netcrier.control.paths import DAEMONS, log_dir

from netcrier_ctl.exit_codes import Exit
from netcrier_ctl.log_files import Follower, backwards, open_log, time_of
from netcrier_ctl.options import count, unit
from netcrier_ctl.render import printable
from netcrier_ctl.session import Session
from netcrier_ctl.units import clock

LINES = 20
"""How many are shown unless -n says otherwise."""

POLL = 0.2
"""Seconds between two looks at the files."""

REOPEN = "reopen"
SERVICE = "service"
"""A daemon's own log below --daemonize: text for people, not records."""


class Log(msgspec.Struct, frozen=True):
    """One log file."""

    unit: str
    """The daemon's unit, as `noded`."""
    name: str
    """As `messages` or `conn`."""
    path: Path
    """Where it is."""


def add(parser: ArgumentParser) -> None:
    """Whose logs, how many lines, whether to go on."""
    parser.add_argument("of", nargs="*", type=_word, metavar="DAEMON", help="whose (all on this host); or reopen")
    parser.add_argument("--log", metavar="NAME", help="only this one, as messages or conn")
    parser.add_argument("-n", type=count, default=LINES, metavar="COUNT", help=f"how many of the newest ({LINES})")
    parser.add_argument("-f", "--follow", action="store_true", help="go on as lines come")


def run(session: Session, args: Namespace) -> Exit:
    """Ends with 6 where there is no log."""
    if args.of[:1] == [REOPEN]:
        return _reopen(session, args.of[1:])
    units = args.of or ([session.options.daemon] if session.options.daemon else [])
    logs = _logs(session, units, args.log)
    if not logs:
        session.screen.note(f"no log in {', '.join(map(str, _folders(session, units)))}; in a container: docker logs")
        return Exit.NOTHING_MATCHED
    with ExitStack() as open_files:
        followed = logs if args.follow else []
        followers = [(log, open_files.enter_context(closing(Follower(log.path)))) for log in followed]
        starts = {log.path: follower.start for log, follower in followers}
        for log, line in chain(_newest(logs, args.n, starts), _follow(session, followers)):
            _show(session, log, line)
    return Exit.DONE


def _word(text: str) -> str:
    return text if text == REOPEN else unit(text)


def _reopen(session: Session, units: list[str]) -> Exit:
    reopened = units or session.running()
    for name in reopened:
        with session.connect(name) as client:
            client.call(LOGS_REOPEN.name)
        if not session.options.json:
            session.screen.result(f"{name} writes to new files")
    if session.options.json:
        session.document("logs.reopen", {"daemons": reopened})
    return Exit.DONE


def _folders(session: Session, units: list[str]) -> list[Path]:
    """The log directories of `units`; of none: of every daemon and instance."""
    if units:
        names = [name.partition("@") for name in units]
        return [log_dir(daemon, instance or None, session.environ) for daemon, _, instance in names]
    roots = [log_dir(daemon, None, session.environ) for daemon in DAEMONS]
    return [folder for root in roots for folder in (root, *sorted(root.parent.glob(f"{root.name}@*")))]


def _logs(session: Session, units: list[str], name: str | None) -> list[Log]:
    return [
        Log(folder.name, path.stem, path)
        for folder in _folders(session, units)
        for path in sorted(folder.glob("*.log"))
        if (path.stem == name if name else path.stem != SERVICE)
    ]


def _newest(logs: list[Log], most: int, ends: Mapping[Path, int]) -> list[tuple[Log, bytes]]:
    """The last lines of all together in front of `ends`, by time; those of one time in the order of the file."""
    found: list[tuple[float, int, Log, bytes]] = []
    for log in logs:
        file = open_log(log.path)
        if file is None:
            continue
        with file:
            for place, line in enumerate(islice(backwards(file, ends.get(log.path)), most)):
                found.append((time_of(line) or 0.0, -place, log, line))
    return [(log, line) for _, _, log, line in heapq.nlargest(most, found, key=lambda row: row[:2])[::-1]]


def _follow(session: Session, followers: list[tuple[Log, Follower]]) -> Iterator[tuple[Log, bytes]]:
    """Lines as they come, without end; none without followers."""
    while followers:
        fresh = [(log, line) for log, follower in followers for line in follower.lines()]
        yield from fresh
        session.screen.flush()
        if not fresh:
            session.sleep(POLL)


def _show(session: Session, log: Log, line: bytes) -> None:
    at = time_of(line)
    if at is None:
        session.screen.note(f"{log.path}: not a record: {printable(line[:80].decode('utf-8', 'backslashreplace'))}")
    elif session.options.json:
        session.document("log", {"daemon": log.unit, "log": log.name, "record": msgspec.Raw(line)})
    else:
        session.screen.line(f"{clock(at, session.now())}  {log.unit} {log.name}  {_words(line)}")


def _words(line: bytes) -> str:
    """A record as `key=value`, its event and its text without their keys."""
    record: dict[str, Any] = msgspec.json.decode(line)
    record.pop("ts", None)
    head = [str(record.pop("event"))] if "event" in record else []
    tail = [str(record.pop("text"))] if "text" in record else []
    return printable("  ".join([*head, " ".join(f"{key}={value}" for key, value in record.items()), *tail]))
