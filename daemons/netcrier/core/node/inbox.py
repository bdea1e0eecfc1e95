"""What a node has of each lane: the mark up to which nothing lacks, the messages held beyond a gap, and the next batch.

Rules:
- A state changes only when its batch is committed: what a crash can undo is never receipted.
- One batch is in flight at a time; what arrives meanwhile waits for the next.
- A number that is there with another digest is a conflict, not a duplicate: the master's store has forked.
- A message may be withheld (refused by tags, or too late): it takes its number and is not released.
- A skip takes effect when all before it is there; until then it is held in memory, and asked for again after a crash.
- A lane leaves its term by a turn alone: in one commit what is held is released, what lacks below it is a gap, and the
  lane begins anew in the next term.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

from netcrier.core.node.batch import Arrival, Batch, Lane, Passed
from netcrier.core.outcomes import Untold
from netcrier.ids import MessageId
from netcrier.wire.envelope import Digest, chained
from netcrier.wire.limits import BIG_AHEAD_MAX, HELD_MAX, RANGES_MAX, REQUEST_MESSAGES_MAX, SKIPS_HELD_MAX
from netcrier.wire.report import Outcome, Told
from netcrier.wire.skip import Cause, Skip

_RUN_MOST = 0x10000
"""Numbers that one outcome speaks of: its code has two bytes."""

_TOLD_OF = {Cause.NOT_FOR_YOU: None, Cause.EXPIRED: Told.MISSED, Cause.NO_LONGER_KEPT: Told.GAP}


class Verdict(Enum):
    """What became of a message that was offered."""

    NEW = auto()
    KNOWN = auto()
    CONFLICT = auto()
    NO_LANE = auto()
    OTHER_TERM = auto()
    TOO_FAR = auto()


@dataclass(slots=True)
class _Work:
    """A lane with what is not committed yet."""

    state: Lane
    waiting: dict[int, Arrival] = field(default_factory=dict)
    flying: dict[int, Arrival] = field(default_factory=dict)
    skips: dict[int, Skip] = field(default_factory=dict)
    """By first number."""
    turn: tuple[int, int] | None = None
    """The last number that is known of the term, and the next term."""

    @property
    def ready(self) -> bool:
        """Whether a batch would change the lane."""
        return bool(self.waiting or self.turn) or self.skip_at(self.state.mark + 1) is not None

    def covered(self) -> Iterator[tuple[int, int]]:
        """(first, last) of what is here or on its way."""
        yield from ((sequence, sequence) for sequence, _ in self.state.held)
        yield from ((sequence, sequence) for sequence in (*self.waiting, *self.flying))
        yield from ((skip.first, skip.last) for skip in self.skips.values())

    def skip_at(self, sequence: int) -> Skip | None:
        """The skip that covers this number."""
        if not self.skips:
            return None
        return next((skip for skip in self.skips.values() if skip.first <= sequence <= skip.last), None)

    def digest_of(self, sequence: int) -> Digest | None:
        arrival = self.waiting.get(sequence) or self.flying.get(sequence)
        if arrival:
            return arrival.digest
        return dict(self.state.held).get(sequence) if self.state.held else None


class _Advance:
    """One lane on its way over what is there now."""

    def __init__(self, work: _Work) -> None:
        self._work, lane = work, work.state
        self._term, self._lane = lane.term, lane.lane
        self.mark, self.chain = lane.mark, lane.chain
        arrivals = work.flying.values()
        self.held = dict(lane.held) | {arrival.message.sequence: arrival.digest for arrival in arrivals}
        self.withheld = dict(lane.withheld) | {a.message.sequence: a.withheld for a in arrivals if a.withheld}
        self.steps: list[MessageId | Passed] = []
        while self._over_message() or self._over_skip():
            pass
        self.untold = _untold(lane, arrivals, self.steps)
        if work.turn:
            self._to_the_end(work.turn[0])

    def lane(self) -> Lane:
        """The lane after it."""
        if self._work.turn:
            return Lane(self._lane, self._work.turn[1], 0)
        held, withheld = tuple(sorted(self.held.items())), tuple(sorted(self.withheld.items()))
        return Lane(self._lane, self._term, self.mark, self.chain, held, withheld)

    def _over_message(self) -> bool:
        digest = self.held.pop(self.mark + 1, None)
        if digest is None:
            return False
        self.mark, self.chain = self.mark + 1, chained(self.chain, digest)
        self._step(self.mark)
        return True

    def _over_skip(self) -> bool:
        skip = self._work.skip_at(self.mark + 1)
        if skip is None:
            return False
        self._pass_all(skip.last, _TOLD_OF[skip.cause])
        self.chain = skip.chain
        return True

    def _to_the_end(self, known: int) -> None:
        """Over all that there is of the term: what is told of it then the master has said itself."""
        self._pass_all(max(known, *self.held, self.mark), Told.GAP)

    def _pass_all(self, last: int, told: Told | None) -> None:
        """Over what is held and what lacks, up to `last`."""
        for sequence in sorted(sequence for sequence in self.held if sequence <= last):
            self._pass(sequence - 1, told)
            del self.held[sequence]
            self.mark = sequence
            self._step(sequence)
        self._pass(last, told)

    def _step(self, sequence: int) -> None:
        """Release a message that is there, unless it is withheld."""
        identity, withheld = MessageId(self._term, self._lane, sequence), self.withheld.pop(sequence, None)
        if withheld is None:
            self.steps.append(identity)
        elif withheld is not Told.REFUSED:
            self.steps.append(Passed(identity, sequence, withheld))

    def _pass(self, last: int, told: Told | None) -> None:
        """Pass what lacks up to `last`."""
        if last > self.mark and told:
            self.steps.append(Passed(MessageId(self._term, self._lane, self.mark + 1), last, told))
        self.mark = max(last, self.mark)


def _untold(lane: Lane, arrivals: Iterable[Arrival], steps: Iterable[MessageId | Passed]) -> list[Untold]:
    """What the master has to be told of them."""
    found = [Outcome(lane.lane, a.message.sequence, a.told, a.code) for a in arrivals if a.told]
    for step in steps:
        if isinstance(step, Passed):
            for first in range(step.id.sequence, step.last + 1, _RUN_MOST):
                found.append(Outcome(lane.lane, first, step.told, min(step.last - first, _RUN_MOST - 1)))
    return [Untold(lane.term, outcome) for outcome in found]


class Inbox:
    """All lanes of a node; without lanes it accepts nothing."""

    def __init__(self, lanes: Iterable[Lane] = ()) -> None:
        self._work = {lane.lane: _Work(lane) for lane in lanes}
        self._flying: Batch | None = None
        self._stirred = True
        """Whether there may be a batch: something has come since the last was looked for."""
        self.coming: set[MessageId] = set()
        """Messages in blocks that are being put together: they do not lack."""

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """The committed states."""
        return tuple([work.state for work in self._work.values()])

    @property
    def begun(self) -> bool:
        """Whether there are lanes."""
        return bool(self._work)

    def begin(self, lane: Lane) -> bool:
        """Start a lane where a welcome says; False where there is one: it leaves its term by a turn."""
        if lane.lane in self._work:
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

    def takes(self, identity: MessageId) -> bool:
        """Whether a message in blocks may be put together: it lacks, and is not too far ahead."""
        work = self._work.get(identity.lane)
        if work is None or work.state.term != identity.term:
            return False
        ahead = identity.sequence - work.state.mark
        here = work.digest_of(identity.sequence) or work.skip_at(identity.sequence)
        return 0 < ahead <= BIG_AHEAD_MAX and here is None

    def offer(self, arrival: Arrival) -> None:
        """Take in a message that `check` calls new."""
        self._work[arrival.message.lane].waiting[arrival.message.sequence] = arrival
        self._stirred = True

    def turn(self, lane: int, known: int, following: int) -> None:
        """Nothing more is to be had of the lane's term, of which numbers up to `known` are known: leave it."""
        self._work[lane].turn = (known, following)
        self._stirred = True

    def skip(self, skip: Skip) -> Verdict:
        """Take in a verified skip; NEW where it is held or changes something."""
        work = self._work.get(skip.lane)
        if work is None:
            return Verdict.NO_LANE
        if work.state.term != skip.term:
            return Verdict.OTHER_TERM
        if skip.last <= work.state.mark or work.skips.get(skip.first) == skip:
            return Verdict.KNOWN
        if skip.first not in work.skips and len(work.skips) >= SKIPS_HELD_MAX:
            return Verdict.TOO_FAR
        work.skips[skip.first] = skip
        self._stirred = True
        return Verdict.NEW

    def take_batch(self) -> Batch | None:
        """The next commit, or None while one is in flight or nothing waits."""
        if self._flying or not self._stirred:
            return None
        self._stirred = False
        ready = [work for work in self._work.values() if work.ready]
        if not ready:
            return None
        arrivals: list[Arrival] = []
        released: list[MessageId | Passed] = []
        lanes: list[Lane] = []
        untold: list[Untold] = []
        left: list[Lane] = []
        for work in ready:
            work.flying, work.waiting = work.waiting, {}
            advance = _Advance(work)
            lane = advance.lane()
            arrivals += work.flying.values()
            released += advance.steps
            lanes.append(lane)
            untold += advance.untold
            left += [work.state] if work.turn else []
        self._flying = Batch(tuple(arrivals), tuple(released), tuple(lanes), tuple(untold), tuple(left))
        return self._flying

    def committed(self, batch: Batch) -> None:
        """The batch is on disk."""
        assert batch is self._flying
        self._flying = None
        for state in batch.lanes:
            work = self._work[state.lane]
            if state.term > work.state.term:
                self._work[state.lane] = _Work(state)
                continue
            work.state, work.flying = state, {}
            if work.skips:
                work.skips = {first: skip for first, skip in work.skips.items() if skip.last > state.mark}
                self._stirred = True

    def failed(self, batch: Batch) -> None:
        """The batch is not on disk: its messages lack again and will be asked for, and skips and turns with them."""
        assert batch is self._flying
        self._flying = None
        for work in self._work.values():
            work.flying, work.skips, work.turn = {}, {}, None

    def missing(self, lane: int, highest: int) -> tuple[tuple[int, int], ...]:
        """(first, count) ranges up to `highest` neither here nor on their way; as many as a request may name."""
        work = self._work.get(lane)
        if work is None or highest <= work.state.mark:
            return ()
        if highest == work.state.mark + 1 and highest in work.waiting:
            return ()  # nearly always: it has just come
        ranges: list[tuple[int, int]] = []
        left = REQUEST_MESSAGES_MAX
        coming = ((one.sequence, one.sequence) for one in self.coming if one.lane == lane)
        covered = sorted((*work.covered(), *coming))
        covered.append((highest + 1, highest + 1))
        sequence = work.state.mark + 1
        for first, last in covered:
            end = min(first, highest + 1)
            if sequence < end and left and len(ranges) < RANGES_MAX:
                count = min(end - sequence, left)
                ranges.append((sequence, count))
                left -= count
            sequence = max(sequence, last + 1)
        return tuple(ranges)
