"""What the master has for a node that lacks numbers: the message, its pieces where it goes in blocks, or a skip."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Protocol

from netcrier.core.master.conditions import Conditions, Run
from netcrier.core.master.cutting import Cut
from netcrier.core.master.outbox import OutLane
from netcrier.core.master.past import Past
from netcrier.core.master.voice import Voice
from netcrier.errors import DecodeError
from netcrier.ids import MessageId
from netcrier.wire.catch_up import CatchUp, frame
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import SKIPS_PER_REQUEST
from netcrier.wire.report import Request
from netcrier.wire.skip import ANY_NODE, Cause, Skip, encode_skip


class Shelf(Protocol):
    """Where signed messages are kept."""

    def signed_message(self, identity: MessageId) -> bytes | None:
        """The signed plaintext, or None where it is no longer kept."""

    def body(self, identity: MessageId) -> bytes | None:
        """The body of a message in blocks."""


class Stock:
    """See the module. `refused` counts what is no longer kept."""

    def __init__(
        self,
        voice: Voice,
        lanes: Mapping[int, OutLane],
        past: Past,
        conditions: Conditions,
        shelf: Shelf,
        refused: Counter[str],
    ) -> None:
        self._voice, self._lanes, self._conditions, self._shelf = voice, lanes, conditions, shelf
        self._past, self._refused = past, refused
        self.caught_up = 0
        """Messages sent to nodes that lagged far, over TCP."""

    def lane(self, number: int, term: int) -> OutLane:
        """A lane of this term or an earlier one; DecodeError else."""
        lane = self.find(term, number)
        if lane is None:
            raise DecodeError("other term")
        return lane

    def find(self, term: int, number: int) -> OutLane | None:
        """The same; None else."""
        return self._lanes.get(number) if term == self._voice.me.term else self._past.lane(term, number)

    def message(self, identity: MessageId) -> bytes | None:
        """The datagram of a message; None where it is no longer kept."""
        plaintext = self._shelf.signed_message(identity)
        if plaintext is None:
            self._refused["no longer kept"] += 1
            return None
        return self._voice.sealed(Kind.MESSAGE, plaintext)

    def skip(self, message: MessageId, index: int, now_us: int) -> bytes | None:
        """The datagram where this node will not get the message; None where it may have it. DecodeError where there is
        no such number."""
        lane = self.lane(message.lane, message.term)
        if not 1 <= message.sequence <= lane.highest:
            raise DecodeError("number not in this store")
        run = self._conditions.run(message.term, lane, message.sequence, index, now_us)
        return self._skip(message.term, lane, run, index) if run else None

    def requested(self, request: Request, index: int, now_us: int) -> tuple[list[MessageId], list[bytes]]:
        """Of what a node asks for: the messages to repeat, and skips for the others."""
        lane = self.lane(request.lane, request.term)
        lacking: list[MessageId] = []
        skips: list[bytes | None] = []
        for first, count in request.ranges:
            sequence = max(first, 1)
            while sequence < min(first + count, lane.highest + 1):
                run = self._conditions.run(request.term, lane, sequence, index, now_us)
                if run is None:
                    lacking.append(MessageId(request.term, request.lane, sequence))
                elif len(skips) < SKIPS_PER_REQUEST:
                    skips.append(self._skip(request.term, lane, run, index))
                sequence = run.last + 1 if run else sequence + 1
        return lacking, [skip for skip in skips if skip]

    def frames(self, asked: CatchUp, index: int, now_us: int) -> Iterator[bytes]:
        """All after the marks, urgent ones first, as TCP carries it; also what is sent meanwhile."""
        for number, term, received in sorted(asked.lanes, reverse=True):
            lane = self.lane(number, term)
            sequence = received + 1
            while sequence <= lane.highest:
                run = self._conditions.run(term, lane, sequence, index, now_us)
                if run:
                    skip = self._skip(term, lane, run, index)
                    if skip:
                        yield frame(skip)
                    sequence = run.last + 1
                    continue
                yield from self._whole(MessageId(term, number, sequence))
                sequence += 1

    def _whole(self, identity: MessageId) -> Iterator[bytes]:
        """A message with its pieces."""
        message = self.message(identity)
        if message is None:
            return
        self.caught_up += 1
        yield frame(message)
        body = self._shelf.body(identity)
        if body is not None:
            for kind, piece in Cut(body).plaintexts(identity):
                yield frame(self._voice.sealed(kind, piece))

    def _skip(self, term: int, lane: OutLane, run: Run, index: int) -> bytes | None:
        """The datagram; None where the store has lost the chain that it needs."""
        chain = lane.chain_at(run.last)
        if chain is None:
            self._refused["no longer kept"] += 1
            return None
        to = index if run.cause is Cause.NOT_FOR_YOU else ANY_NODE
        earlier = term if term != self._voice.me.term else None
        skip = Skip(self._voice.head(), lane.lane, run.first, run.last - run.first + 1, run.cause, to, chain, earlier)
        return self._voice.sealed(Kind.SKIP, self._voice.signed(Kind.SKIP, encode_skip(skip)))
