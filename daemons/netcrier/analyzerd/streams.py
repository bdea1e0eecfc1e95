"""Streams to parsers: what each end of a conversation says, in order, to whoever claims the conversation.

The engine delivers (engine/streams.pxi); `Streams.pump` takes what it has and hands it on. Until a conversation is
claimed its first bytes are kept, at most HEAD of each end, and shown to the detector each time there are more: by
content, not by port. The parser that claims it is given what was kept, then the rest, and answers after each piece:
more is welcome, so many bytes are not wanted, or it is done with this end. A gap is told in its place. What nobody
claims within HEAD bytes is let go and costs nothing more.
Left out: parsers, which are in protocols/.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from ipaddress import ip_address
from struct import Struct
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netcrier.analyzerd.engine.kernel import Kernel

HEAD = 4096
"""Bytes of each end that a detector sees at most."""

UNCLAIMED_MOST = 65_536
"""Conversations whose heads are kept at one time: half a GiB at worst. Beyond it the oldest is let go."""

_POST = Struct("=IHHIIqQQ")
_ENDS = Struct("!16s16sHHBBxx")
_OPENED, _DATA, _DATAGRAM, _GAP, _ENDED = range(5)
_MAPPED = bytes(10) + b"\xff\xff"


class Verdict(Enum):
    """Of a parser, for the end that it was shown."""

    MORE = "more"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Skip:
    """So many bytes of this end are not wanted; then more."""

    size: int


Answer = Verdict | Skip


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation: its uid, as in conn.log, and its ends."""

    uid: str
    orig_h: str
    orig_p: int
    resp_h: str
    resp_p: int
    protocol: int


class Parser(Protocol):
    """What a protocol does with a conversation that it claimed. Times are nanoseconds since the epoch."""

    def data(self, from_orig: bool, time: int, data: bytes) -> Answer:
        """Bytes of one end, in order; of UDP one whole datagram."""

    def gap(self, from_orig: bool, time: int, size: int) -> Answer:
        """`size` bytes are missing here; 0: nothing more will come of this end."""

    def end(self, time: int) -> None:
        """The conversation is over."""


@dataclass(slots=True)
class _Followed:
    """A conversation, claimed or not yet."""

    talk: Talk
    slot: int
    serial: int
    parser: Parser | None = None
    kept: list[tuple[int, bool, int, bytes | int]] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=lambda: [b"", b""])
    over: list[bool] = field(default_factory=lambda: [False, False])
    skip: list[int] = field(default_factory=lambda: [0, 0])


class Streams:
    """All conversations of one kernel, made with a `streams` budget. Used by one thread, between the kernel's runs."""

    def __init__(self, kernel: Kernel, detect: Callable[[Talk, bool, bytes], Parser | None]) -> None:
        self._kernel, self._detect = kernel, detect
        self._held: dict[int, _Followed] = {}
        self._unclaimed: dict[int, _Followed] = {}
        self._skipping: dict[int, _Followed] = {}

    def __len__(self) -> int:
        return len(self._held)

    def pump(self) -> None:
        """Hand on what the kernel has, and give it the answers. To be called whenever lines are taken."""
        for kind, end, slot, serial, time, number, body in _posts(self._kernel.deliveries()):
            if kind == _OPENED:
                self._open(slot, serial, body)
                continue
            one = self._held.get(serial)
            if one is None:
                continue
            if kind == _ENDED:
                self._end(one, time)
            elif not one.over[end]:
                self._show(one, kind, end, time, number if kind == _GAP else body)
        for one in self._skipping.values():
            self._tell(one)
        self._skipping.clear()

    def _open(self, slot: int, serial: int, body: bytes) -> None:
        orig, resp, orig_p, resp_p, protocol, _ = _ENDS.unpack(body)
        talk = Talk(self._kernel.uid(serial), _address(orig), orig_p, _address(resp), resp_p, protocol)
        self._held[serial] = self._unclaimed[serial] = _Followed(talk, slot, serial)
        if len(self._unclaimed) > UNCLAIMED_MOST:
            self._let_go(next(iter(self._unclaimed.values())))

    def _show(self, one: _Followed, kind: int, end: int, time: int, what: bytes | int) -> None:
        if one.parser is None:
            one.kept.append((end, kind == _GAP, time, what))
            if isinstance(what, bytes):
                self._try(one, end, what)
            elif what == 0:
                one.over[end] = True
            return
        self._give(one, end, kind == _GAP, time, what)

    def _try(self, one: _Followed, end: int, data: bytes) -> None:
        """Whether somebody claims it now."""
        one.heads[end] = (one.heads[end] + data)[:HEAD]
        parser = self._detect(one.talk, end == 0, one.heads[end])
        if parser is None:
            if len(one.heads[end]) == HEAD:
                self._let_go(one)
            return
        one.parser, kept, one.kept = parser, one.kept, []
        self._unclaimed.pop(one.serial, None)
        for at, is_gap, time, what in kept:
            if not one.over[at] or is_gap:
                self._give(one, at, is_gap, time, what)

    def _give(self, one: _Followed, end: int, is_gap: bool, time: int, what: bytes | int) -> None:
        """To the parser, less what it skips; its answer."""
        assert one.parser is not None
        if isinstance(what, int):
            passed = min(one.skip[end], what)
            one.skip[end] -= passed
            if what and passed == what:
                return
            answer = one.parser.gap(end == 0, time, what - passed)
        else:
            passed = min(one.skip[end], len(what))
            one.skip[end] -= passed
            if passed == len(what):
                return
            answer = one.parser.data(end == 0, time, what[passed:])
        if isinstance(answer, Skip):
            one.skip[end] += answer.size
            self._skipping[one.serial] = one
        elif answer is Verdict.DONE or (is_gap and what == 0):
            one.over[end] = True
            self._kernel.answer(one.slot, one.serial, end, done=True)

    def _tell(self, one: _Followed) -> None:
        """What is to be skipped beyond what came so far is the engine's to pass over."""
        for end in (0, 1):
            if one.skip[end]:
                self._kernel.answer(one.slot, one.serial, end, skip=one.skip[end])
                one.skip[end] = 0

    def _let_go(self, one: _Followed) -> None:
        for end in (0, 1):
            self._kernel.answer(one.slot, one.serial, end, done=True)
        self._held.pop(one.serial, None)
        self._unclaimed.pop(one.serial, None)

    def _end(self, one: _Followed, time: int) -> None:
        if one.parser:
            one.parser.end(time)
        self._held.pop(one.serial, None)
        self._unclaimed.pop(one.serial, None)


def _posts(data: bytes) -> Iterator[tuple[int, int, int, int, int, int, bytes]]:
    """(kind, end, slot, serial, time, number, bytes) of every delivery."""
    at = 0
    while at < len(data):
        size, kind, end, slot, serial, time, number, _ = _POST.unpack_from(data, at)
        at += _POST.size
        yield kind, end, slot, serial, time, number, data[at : at + size]
        at += (size + 7) & ~7


def _address(packed: bytes) -> str:
    return str(ip_address(packed[12:] if packed.startswith(_MAPPED) else packed))
