"""What a node has of each lane: the mark up to which nothing lacks, the messages held beyond a gap, and the next batch.

Rules:
- A state changes only when its batch is committed: what a crash can undo is never receipted.
- One batch is in flight at a time; what arrives meanwhile waits for the next.
- A number that is there with another digest is a conflict, not a duplicate: the master's store has forked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from netcrier.ids import MessageId
from netcrier.wire.envelope import NO_CHAIN, Digest, chained
from netcrier.wire.limits import HELD_MAX, RANGES_MAX, REQUEST_MESSAGES_MAX
from netcrier.wire.message import Message


class Verdict(Enum):
    """What became of a message that was offered."""

    NEW = auto()
    KNOWN = auto()
    CONFLICT = auto()
    NO_LANE = auto()
    OTHER_TERM = auto()
    TOO_FAR = auto()


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane: everything up to `mark` is in the journal, `chain` is the digest there; `held` lies beyond a gap."""

    lane: int
    term: int
    mark: int
    chain: Digest = NO_CHAIN
    held: tuple[tuple[int, Digest], ...] = ()


@dataclass(frozen=True, slots=True)
class Arrival:
    """A verified message on its way into the journal."""

    message: Message
    digest: Digest
    received_us: int


@dataclass(frozen=True, slots=True)
class Batch:
    """One commit: rows to insert, messages that become deliverable (in order), and the lanes after it."""

    arrivals: tuple[Arrival, ...]
    released: tuple[MessageId, ...]
    lanes: tuple[Lane, ...]


@dataclass(slots=True)
class _Work:
    """A lane with what is not committed yet."""

    state: Lane
    waiting: dict[int, Arrival] = field(default_factory=dict)
    flying: dict[int, Arrival] = field(default_factory=dict)

    def digest_of(self, sequence: int) -> Digest | None:
        arrival = self.waiting.get(sequence) or self.flying.get(sequence)
        return arrival.digest if arrival else dict(self.state.held).get(sequence)


def _advance(lane: Lane, arrivals: Iterable[Arrival]) -> tuple[Lane, list[MessageId]]:
    """The lane once `arrivals` are in the journal, and the messages that this releases."""
    held = dict(lane.held) | {arrival.message.sequence: arrival.digest for arrival in arrivals}
    mark, chain, released = lane.mark, lane.chain, []
    while (digest := held.pop(mark + 1, None)) is not None:
        mark, chain = mark + 1, chained(chain, digest)
        released.append(MessageId(lane.term, lane.lane, mark))
    return replace(lane, mark=mark, chain=chain, held=tuple(sorted(held.items()))), released


class Inbox:
    """All lanes of a node; without lanes it accepts nothing."""

    def __init__(self, lanes: Iterable[Lane] = ()) -> None:
        self._work = {lane.lane: _Work(lane) for lane in lanes}
        self._flying: Batch | None = None

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """The committed states."""
        return tuple(work.state for work in self._work.values())

    def begin(self, lane: Lane) -> bool:
        """Start a lane where a welcome says; False where there is one in this term already."""
        work = self._work.get(lane.lane)
        if work and work.state.term >= lane.term:
            return False
        self._work[lane.lane] = _Work(lane)
        return True

    def check(self, identity: MessageId, digest: Digest) -> Verdict:
        """What an offer would give; costs no signature check."""
        work = self._work.get(identity.lane)
        if work is None:
            return Verdict.NO_LANE
        if work.state.term != identity.term:
            return Verdict.OTHER_TERM
        if identity.sequence <= work.state.mark:
            return Verdict.KNOWN
        if (known := work.digest_of(identity.sequence)) is not None:
            return Verdict.KNOWN if known == digest else Verdict.CONFLICT
        if identity.sequence > work.state.mark + HELD_MAX:
            return Verdict.TOO_FAR
        return Verdict.NEW

    def offer(self, arrival: Arrival) -> None:
        """Take in a message that `check` calls new."""
        self._work[arrival.message.lane].waiting[arrival.message.sequence] = arrival

    def take_batch(self) -> Batch | None:
        """The next commit, or None while one is in flight or nothing waits."""
        if self._flying or not any(work.waiting for work in self._work.values()):
            return None
        arrivals: list[Arrival] = []
        released: list[MessageId] = []
        lanes: list[Lane] = []
        for work in self._work.values():
            if work.waiting:
                work.flying, work.waiting = work.waiting, {}
                state, freed = _advance(work.state, work.flying.values())
                arrivals += work.flying.values()
                released += freed
                lanes.append(state)
        self._flying = Batch(tuple(arrivals), tuple(released), tuple(lanes))
        return self._flying

    def committed(self, batch: Batch) -> None:
        """The batch is on disk."""
        assert batch is self._flying
        self._flying = None
        for state in batch.lanes:
            work = self._work[state.lane]
            work.state, work.flying = state, {}

    def failed(self, batch: Batch) -> None:
        """The batch is not on disk: its messages lack again and will be asked for."""
        assert batch is self._flying
        self._flying = None
        for work in self._work.values():
            work.flying = {}

    def missing(self, lane: int, highest: int) -> tuple[tuple[int, int], ...]:
        """(first, count) ranges up to `highest` neither here nor on their way; as many as a request may name."""
        work = self._work.get(lane)
        if work is None:
            return ()
        there = {sequence for sequence, _ in work.state.held} | work.waiting.keys() | work.flying.keys()
        ranges: list[tuple[int, int]] = []
        left = REQUEST_MESSAGES_MAX
        sequence = work.state.mark + 1
        while sequence <= highest and left and len(ranges) < RANGES_MAX:
            first = sequence
            while sequence <= highest and sequence not in there and sequence - first < left:
                sequence += 1
            if sequence > first:
                ranges.append((first, sequence - first))
                left -= sequence - first
            while sequence in there:
                sequence += 1
        return tuple(ranges)
