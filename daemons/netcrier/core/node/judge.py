"""The node's own judgement of a message: whether it is for this node, by its tags, and whether it comes in time.

Rules:
- The master fixes whom it expects from the tags that it knows. Where it knows the present ones, the node's answer is no
  news and nothing is told: so for every number beyond the first beacon heard after the master was told them.
- Where it may not, the node says so: `refused` without a match, `received` with one.
- Age is measured by the master's clock, which beacons carry. It is looked at once, when the message comes.
"""

from __future__ import annotations

from typing import Final

from netcrier.core.node.batch import Arrival
from netcrier.errors import DecodeError, UsageError
from netcrier.wire.beacon import Marks
from netcrier.wire.envelope import Digest
from netcrier.wire.message import Message
from netcrier.wire.report import Told
from netcrier.wire.selector import facts_of, parse_selector

BY_TAGS: Final = 1
UNREADABLE: Final = 2


def known_of(name: str, tags: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """What a master that knows a node knows of it: see `Membership.told`."""
    return tuple(sorted(facts_of(name, tags).items()))


class Judge:
    """One node's; `told` is what the master has been told of it, as kept on disk."""

    def __init__(self, name: str, tags: tuple[tuple[str, str], ...], told: tuple[tuple[str, str], ...]) -> None:
        self._facts = facts_of(name, tags)
        self.present = known_of(name, tags)
        """What the master should know."""
        self.known = told == self.present
        """Whether it does."""
        self._known_beyond: dict[int, int] = {}
        self._term = 0
        self._clock_us: float | None = None
        """What the master's clock showed at the zero of ours."""

    def welcomed(self) -> None:
        """The master has committed what the node said of itself."""
        self.known = True
        self._known_beyond = {}

    def beacon(self, term: int, marks: Marks, now: float) -> None:
        """How far the lanes of a term are, and what time it is at the master."""
        if term != self._term:
            self._term, self._known_beyond = term, {}
        self._clock_us = marks.clock_us - now * 1e6
        if self.known:
            for span in marks.lanes:
                self._known_beyond.setdefault(span.lane, span.highest)

    def meant(self, selector: str) -> bool:
        """Whether this node's name and tags match; DecodeError where the selector is none."""
        try:
            return parse_selector(selector).holds(self._facts)
        except UsageError as error:
            raise DecodeError("malformed", str(error)) from None

    def arrival(self, message: Message, digest: Digest, received_us: int, now: float) -> Arrival:
        """The message as it goes into the journal."""
        if not message.selector:
            return Arrival(message, digest, received_us, Told.MISSED if self._late(message, now) else None)
        try:
            meant, code = self.meant(message.selector), BY_TAGS
        except DecodeError:
            meant, code = False, UNREADABLE
        known_beyond = self._known_beyond.get(message.lane, message.sequence)
        earlier = message.head.term != self._term  # whom the master of that term has expected, it alone has known
        news = earlier or message.sequence <= known_beyond or code == UNREADABLE
        if not meant:
            return Arrival(message, digest, received_us, Told.REFUSED, Told.REFUSED if news else None, code)
        withheld = Told.MISSED if self._late(message, now) else None
        return Arrival(message, digest, received_us, withheld, Told.RECEIVED if news and not withheld else None)

    def _late(self, message: Message, now: float) -> bool:
        if not message.ttl_ms or self._clock_us is None:
            return False
        return self._clock_us + now * 1e6 > message.sent_us + message.ttl_ms * 1000
