"""messages.log: each deliverable message of the journal as one JSON line, once; and what the node is without, likewise.

The log's own last line says how far it has come. Standard output cannot be read again: there, what an earlier run may
have said already bears `"again": true`.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from contextlib import suppress
from hashlib import sha256
from typing import Final

import msgspec

from netcrier.errors import StoreError
from netcrier.noded.journal.entry import Entry
from netcrier.noded.journal.journal import Journal
from netcrier.runtime.logs import Clock, JsonLog, stamp
from netcrier.runtime.udp import clock_us
from netcrier.wire.report import Told

_BATCH = 256
BODY_LOGGED: Final = 16 * 1024
"""Bytes of a body in a line: a log is read by people and by programs that hold a line in memory."""


class MessageLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of messages.log. Times are epoch seconds with six decimals, or RFC 3339 as `log.time` says."""

    ts: float | str
    """When the message was received."""
    event: str
    """`message`."""
    n: int
    """Its place in the journal: rises by one from line to line."""
    id: str
    """As `1284`, urgent `u7`."""
    term: int
    """The master's term."""
    lane: int
    """0 the queue, 1 urgent."""
    seq: int
    """Its number in the lane."""
    master: str
    """Hex id of the master that signed it."""
    trust: str
    """How the node came to trust that master: `token` or `first-use`."""
    sent: float | str
    """When it was sent, by the master's clock."""
    size: int
    """Bytes of the body."""
    sha256: str
    """Hex, of the body."""
    logged: float | str
    """When this line was written: `delivered` from then on."""
    text: str | None = None
    """The body where it is UTF-8; of a longer one its first 16 KiB."""
    body_b64: bytes | None = None
    """The same where it is not, in base64."""
    cut: bool = False
    """Whether the body goes on: netctl messages --body has all of it."""
    again: bool = False
    """An earlier run may have written this message to standard output."""


def beginning(body: bytes) -> tuple[str | None, bytes | None]:
    """What a line has of the body: as text, or where its beginning is not UTF-8 as bytes."""
    if len(body) <= BODY_LOGGED:
        try:
            return body.decode(), None
        except UnicodeDecodeError:
            return None, body
    decoder = getincrementaldecoder("utf-8")()
    try:
        return decoder.decode(body[:BODY_LOGGED]), None  # a character that the cut parts is left out
    except UnicodeDecodeError:
        return None, body[:BODY_LOGGED]


class LossLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of messages.log on messages that this node is without for good: `missed` or `gap`."""

    ts: float | str
    """When the node learnt of it."""
    event: str
    """`missed`: their age limit passed before they came; `gap`: the master no longer keeps them."""
    n: int
    """Its place in the journal, among those of the messages."""
    id: str
    """The first of them, as `1284`, urgent `u7`."""
    term: int
    """The master's term."""
    lane: int
    """0 the queue, 1 urgent."""
    seq: int
    """The number of the first."""
    last: int
    """The number of the last: the same where it is one."""
    count: int
    """How many they are."""
    master: str
    """Hex id of the master that says so."""
    logged: float | str
    """When this line was written."""
    again: bool = False
    """An earlier run may have written this to standard output."""


class _Numbered(msgspec.Struct):
    """What both kinds of lines have."""

    n: int


_EVENTS = {Told.MISSED: "missed", Told.GAP: "gap"}


def event_of(entry: Entry) -> str:
    """`message`, or what else the entry is."""
    return "message" if entry.told is None else _EVENTS[entry.told]


def line_of(entry: Entry, logged_us: int, clock: Clock = "epoch", again: bool = False) -> MessageLine | LossLine:
    """The entry as it is logged; `logged_us` is now, in µs since 1970."""
    if entry.told is None:
        return _message_line(entry, logged_us, clock, again)
    first = entry.id
    return LossLine(
        stamp(entry.received_us, clock), event_of(entry), entry.n, str(first), first.term, first.lane,
        first.sequence, entry.last, entry.last - first.sequence + 1, entry.master.hex(), stamp(logged_us, clock), again,
    )  # fmt: skip


def _message_line(entry: Entry, logged_us: int, clock: Clock, again: bool) -> MessageLine:
    text, raw = beginning(entry.body)
    identity = entry.id
    return MessageLine(
        stamp(entry.received_us, clock), "message", entry.n,
        str(identity), identity.term, identity.lane, identity.sequence, entry.master.hex(), entry.trust,
        stamp(entry.sent_us, clock), len(entry.body), sha256(entry.body).hexdigest(), stamp(logged_us, clock),
        text, raw, len(entry.body) > BODY_LOGGED, again,
    )  # fmt: skip


class MessageLog:
    """Writes what the journal has beyond the log. Used by the journal's thread."""

    def __init__(self, log: JsonLog, journal: Journal, clock: Clock) -> None:
        self._log, self._journal, self._clock = log, journal, clock
        self.fault = ""
        """Why the journal could not be read the last time."""
        self._before = journal.newest
        self._on_disk = journal.log_tells = log.path is not None
        # A power cut may have taken lines of which the journal knew: where the file has any, what it says counts.
        journal.logged = last_number(log) or journal.logged

    @property
    def full(self) -> bool:
        """Whether the disk refused the last line."""
        return self._log.full

    def catch_up(self) -> list[Entry]:
        """Append all that lacks; what was appended. Stops where the disk is full, or the journal cannot be read."""
        written: list[Entry] = []
        self.fault = ""
        while self._journal.logged < self._journal.newest and (found := self._found()):
            for entry in found:
                if self._log.due:
                    self.rotate()
                again = not self._on_disk and entry.n <= self._before
                first = self._log.empty
                if not self._log.append(msgspec.json.encode(line_of(entry, clock_us(), self._clock, again))):
                    return written
                if first:
                    self._sync_first()
                self._journal.logged = entry.n
                written.append(entry)
        return written

    def _sync_first(self) -> None:
        """Put a file's first line on the disk: one that a power cut leaves empty could not say what it has lost."""
        with suppress(StoreError):  # the line is written all the same
            self._log.sync()

    def _found(self) -> list[Entry]:
        """What is to be appended next."""
        try:
            return self._journal.entries(self._journal.logged, _BATCH)
        except StoreError as error:  # what is committed is committed: whoever has done it must not hear of this
            self.fault = str(error)
            return []

    def tell(self) -> None:
        """Tell the journal how far the log has come, once that is on disk: another file cannot say it. StoreError."""
        self._log.sync()
        self._journal.keep_logged()

    def rotate(self) -> None:
        """Put the file aside."""
        with suppress(StoreError):  # what cannot be told is not put aside
            self.tell()
            self._log.rotate()

    def reopen(self) -> None:
        """Write to a new file of the same name."""
        self.tell()
        self._log.reopen()


def last_number(log: JsonLog) -> int:
    """The `n` of the log's last line; 0 without one. StoreError."""
    try:
        return msgspec.json.decode(log.last_line() or b"{}", type=_Numbered).n
    except msgspec.MsgspecError:
        return 0
