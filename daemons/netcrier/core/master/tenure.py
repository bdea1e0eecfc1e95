"""Whether this master may speak: of all that have its identity, one does.

    LISTENING -> SPEAKING    nobody else speaks, and no node has heard higher numbers
    LISTENING -> STANDBY     another speaks, or nodes have heard a higher (term, boot), or have numbers that lack here
    SPEAKING  -> SUPERSEDED  a beacon of this identity has a higher (term, boot), or the same and a higher counter

STANDBY and SUPERSEDED end by a take-over alone: a new term, higher than any that was heard, committed by the shell.
Rules
- A speaking master believes only what its own key has signed: a node, even a stolen one, cannot silence it.
- A listening one also believes nodes, since it can but wait: what they say ends with a person who decides.
- A claim that no signature proves raises the next term by at most TERM_CLAIM_MAX.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Final

import msgspec

from netcrier.core.events import Address
from netcrier.core.standing import Standing, StandingChanged
from netcrier.errors import UsageError
from netcrier.ids import LANES, NodeId
from netcrier.wire.limits import TELLERS_MAX, TERM_CLAIM_MAX
from netcrier.wire.tally import Tally

LISTEN_FOR: Final = 3.0
"""Seconds: three idle beacons of another master, and time for nodes to answer."""
ASK_EVERY: Final = 0.9
"""Seconds between two questions to the nodes, while listening."""
ANSWER_EVERY: Final = 0.2
"""Seconds between two beacons that answer other masters of this identity."""


class Rival(msgspec.Struct, frozen=True):
    """Another master of this identity, as its newest beacon shows it. `at`: when it was heard, in monotone seconds."""

    address: Address
    term: int
    boot: int
    counter: int
    epoch: int
    at: float


class Tenure:
    """See the module. `highest`: lane to the newest number of this term in the store. `recovering`: the store is new,
    under an identity that has spoken before."""

    def __init__(
        self, term: int, boot: int, highest: Mapping[int, int], *, listen: bool = False, recovering: bool = False
    ) -> None:
        self.standing = Standing.LISTENING if listen or recovering else Standing.SPEAKING
        self.rival: Rival | None = None
        self.told = 0
        """Answers of nodes."""
        self._lanes: dict[tuple[NodeId, int], tuple[int, int]] = {}
        """By node and lane: the highest (term, received) that it has told; a tally may be a recording."""
        self._me = (term, boot)
        self._highest = highest
        self._recovering = recovering
        self._claimed = (0, 0)
        self._epoch = 0
        self._end: float | None = None
        self._ask_at = 0.0
        self._answered_at = -inf

    @property
    def speaking(self) -> bool:
        """Whether anything but questions may be sent."""
        return self.standing is Standing.SPEAKING

    def require(self) -> None:
        """Returns where the master speaks; UsageError says why it does not."""
        if not self.speaking:
            raise UsageError(f"this master does not speak: {self.why}")

    @property
    def why(self) -> str:
        """Why the standing is what it is; empty while speaking."""
        return _WHY[self.standing].format(self._cause()) if not self.speaking else ""

    @property
    def next_term(self) -> int:
        """Higher than every term that was heard."""
        rival = self.rival.term if self.rival else 0
        claimed = min(self._claimed[0], max(self._me[0], rival) + TERM_CLAIM_MAX)
        return max(self._me[0], rival, claimed) + 1

    @property
    def highest_epoch(self) -> int:
        """Of another master's group key, as its beacons name it; 0 where none was heard."""
        return max(self.rival.epoch if self.rival else 0, self._epoch)

    @property
    def unknown(self) -> list[tuple[int, int, int]]:
        """(term, lane, number) up to which nodes have messages that this store does not have."""
        first = self._me[0]
        known = {(first, lane): highest for lane, highest in self._highest.items()}
        found: dict[tuple[int, int], int] = {}
        for (_, lane), (term, received) in self._lanes.items():
            at = (term, lane)
            if term >= first and received > max(known.get(at, 0), found.get(at, 0)):
                found[at] = received
        return sorted((*at, received) for at, received in found.items())

    @property
    def timer(self) -> float:
        """When `due` has something to do."""
        return min(self._ask_at, inf if self._end is None else self._end) if self._listening else inf

    def due(self, now: float) -> tuple[bool, StandingChanged | None]:
        """Whether to ask the nodes now, and what the listening has come to."""
        if not self._listening:
            return False, None
        if self._end is None:
            self._end = now + LISTEN_FOR
        if now >= self._end:
            return False, self._decide(now)
        asks = now >= self._ask_at
        if asks:
            self._ask_at = now + ASK_EVERY
        return asks, None

    def beacon(self, rival: Rival, counter: int, *, asking: bool) -> tuple[bool, StandingChanged | None]:
        """A verified beacon of this identity: whether to answer it with one, and whether the standing changes.

        `counter`: the highest of this master's own beacons.
        """
        theirs = (rival.term, rival.boot)
        if asking:
            return self.speaking and theirs != self._me and self._may_answer(rival.at), None
        if self.speaking:
            if (*theirs, rival.counter) <= (*self._me, counter):
                # The same numbers: its own beacon comes back. Lower ones: the other hears this one, and stops.
                return theirs != self._me and self._may_answer(rival.at), None
            self.rival = rival
            return False, self._become(Standing.SUPERSEDED)
        if self.rival is None or theirs >= (self.rival.term, self.rival.boot):
            self.rival = rival
        return False, None

    def tally(self, node: NodeId, tally: Tally) -> None:
        """What a node tells, while listening or silent."""
        self.told += 1
        self._claimed = max(self._claimed, (tally.term, tally.boot))
        self._epoch = max(self._epoch, tally.epoch) if self._recovering else self._epoch
        for lane, term, received in tally.lanes:
            at = (node, lane)
            if lane in LANES and (at in self._lanes or len(self._lanes) < TELLERS_MAX * len(LANES)):
                self._lanes[at] = max(self._lanes.get(at, (0, 0)), (term, received))

    @property
    def _listening(self) -> bool:
        return self.standing is Standing.LISTENING

    def _may_answer(self, now: float) -> bool:
        if now - self._answered_at < ANSWER_EVERY:
            return False
        self._answered_at = now
        return True

    def _decide(self, now: float) -> StandingChanged:
        if self.rival is None and self._recovering:
            self._end = now + LISTEN_FOR  # the new term begins meanwhile, or could not be committed
            return StandingChanged(self.standing, self.why, new_term=True)
        contradicted = self.rival is not None or self._claimed > self._me or bool(self.unknown)
        return self._become(Standing.STANDBY if contradicted else Standing.SPEAKING)

    def _become(self, standing: Standing) -> StandingChanged:
        self.standing = standing
        return StandingChanged(standing, self.why)

    def _cause(self) -> str:
        if self.rival is not None:
            host = self.rival.address[0].partition("%")[0]
            return f"the one at {host} speaks (term {self.rival.term}, boot {self.rival.boot})"
        term, boot = self._claimed
        if self._claimed > self._me:
            return f"nodes have heard another run (term {term}, boot {boot}; here {self._me[0]}, {self._me[1]})"
        return "nodes have messages that this store does not have, so it is an older copy"


_WHY: Final = {
    Standing.LISTENING: "it listens for others of its identity, for a few seconds",
    Standing.STANDBY: "{}; netctl master take-over begins a new term here",
    Standing.SUPERSEDED: "{} and has replaced it; netctl master take-over begins a new term here",
}
