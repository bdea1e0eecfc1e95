"""Messages in the making: for whom, under which number, in one datagram or in blocks; signed once and for all."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from netcrier.core.master.conditions import Condition
from netcrier.core.master.cutting import Cut
from netcrier.core.master.outbox import OutLane
from netcrier.core.master.roster import Roster
from netcrier.core.master.voice import Voice
from netcrier.errors import NotFoundError, UsageError
from netcrier.ids import MessageId
from netcrier.wire.envelope import Digest
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import BODY_MAX, MESSAGE_MAX
from netcrier.wire.message import ROOM, Message, encode_message
from netcrier.wire.selector import facts_of, parse_selector
from netcrier.wire.signed import content_digest


class Composed(msgspec.Struct, frozen=True):
    """A message with its number, signed, to be committed before it is published."""

    id: MessageId
    plaintext: bytes
    digest: Digest
    chain: Digest
    expected: tuple[int, ...]
    sent_us: int
    size: int = 0
    """Bytes of the body."""
    selector: str = ""
    condition: Condition | None = None
    body: bytes = b""
    """Where it goes in blocks: the plaintext does not have it then."""


class Composer:
    """See the module."""

    def __init__(self, voice: Voice, lanes: Mapping[int, OutLane], roster: Roster) -> None:
        self._voice, self._lanes, self._roster = voice, lanes, roster

    def compose(
        self, lane: int, body: bytes, now_us: int, window: float, selector: str = "", ttl_ms: int = 0
    ) -> Composed:
        """Number and sign a message for the nodes of `selector`, for `ttl_ms` (0: without end).

        UsageError where it is longer than MESSAGE_MAX or is no selector; NotFoundError where no node matches.
        """
        if len(body) > MESSAGE_MAX:
            raise UsageError(f"the message has {len(body):,} bytes; the limit is {MESSAGE_MAX:,} bytes (1 MiB)")
        in_blocks = len(body) > BODY_MAX
        if not in_blocks and len(body) + len(selector.encode()) > ROOM:
            raise UsageError(f"message and selector have more than {ROOM} bytes together: shorten the selector")
        expected = self.expected(selector)
        out, voice = self._lanes[lane], self._voice
        window_us = int(window * 1e6)
        message = Message(voice.head(), lane, out.highest + 1, window_us, now_us, body, ttl_ms, selector)
        if in_blocks:
            message = replace(message, body=b"", size=len(body), blocks=Cut(body).digests)
        plaintext = voice.signed(Kind.MESSAGE, encode_message(message))
        digest = content_digest(Kind.MESSAGE, voice.me.group, plaintext)
        out.append(digest)
        until_us = now_us + ttl_ms * 1000 if ttl_ms else None
        condition = Condition(frozenset(expected) if selector else None, until_us) if selector or ttl_ms else None
        apart = body if in_blocks else b""
        return Composed(
            message.id, plaintext, digest, out.chains[-1], expected, now_us, len(body), selector, condition, apart
        )

    def expected(self, selector: str) -> tuple[int, ...]:
        """The nodes that a message with this selector is for; UsageError, NotFoundError as `compose`."""
        members = self._roster.members()
        if not selector:
            return members
        chosen = parse_selector(selector)
        rows = [node.row for node in map(self._roster.at, members) if node]
        found = tuple(row.index for row in rows if chosen.holds(facts_of(row.name, row.tags)))
        if not found:
            raise NotFoundError(f"no node matches {selector!r}; netctl nodes lists them with their tags")
        return found

    def withdraw(self, composed: Composed) -> None:
        """The commit failed: the number is free again."""
        assert self._lanes[composed.id.lane].highest == composed.id.sequence
        self._lanes[composed.id.lane].withdraw()
