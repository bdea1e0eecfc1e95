"""What a node has to tell of single messages, until the master has heard it.

Rules:
- An outcome is in the journal before it is told, and leaves it when a HEARD names a report that listed it.
- Reports list the lowest numbers first, so that a list that is cut off still says up to where the marks can be trusted;
  what handlers returned says nothing of marks and stands behind.
- While something is untold, reports come of themselves, ever more rarely; with each HEARD they begin anew.
- Of a term that its lane has left only what handlers returned is told, as far as a report has room for it: all else
  was heard before it left.
- At most HANDLED_KEPT_MAX results of handlers are kept: of the oldest ones the master then knows `delivered`, which is
  true. The others are never dropped; there is one at most for each message or run of messages that the node passed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from heapq import nsmallest

import msgspec
from msgspec.structs import replace

from netcrier.core.pacing import untold_delay
from netcrier.wire.limits import HANDLED_KEPT_MAX, OUTCOMES_MAX, RESULTS_MAX
from netcrier.wire.report import Outcome, Told

_LISTINGS = 64


class Untold(msgspec.Struct, frozen=True):
    """An outcome and the term of its message."""

    term: int
    outcome: Outcome

    @property
    def place(self) -> tuple[bool, int, int, int]:
        """Its place among the others."""
        outcome = self.outcome
        return (outcome.told is Told.HANDLED, outcome.lane, outcome.sequence, outcome.told)


class Outcomes:
    """See the module. `chance` gives a float in [0, 1)."""

    def __init__(self, kept: Iterable[Untold], chance: Callable[[], float]) -> None:
        self._kept = dict.fromkeys(kept)
        self._chance = chance
        self._terms: dict[int, int] = {}
        self._listings: dict[int, tuple[Untold, ...]] = {}
        self._attempts = 0
        self.timer: float | None = None
        """When to report by itself."""

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, found: Iterable[Untold], now: float) -> list[Untold]:
        """They are in the journal; what has to leave it for want of room, or tells what was heard with its term."""
        self._kept |= dict.fromkeys(found)
        handled = [one for one in self._kept if one.outcome.told is Told.HANDLED]
        over = [one for one in self._kept if one.term < self._terms.get(one.outcome.lane, 0)]
        dropped = [
            *(one for one in over if one.outcome.told is not Told.HANDLED),
            *handled[: max(0, len(handled) - HANDLED_KEPT_MAX)],
        ]
        for one in dropped:
            del self._kept[one]
        self._attempts = 0
        self._again(now)
        return dropped

    def turned(self, lane: int, term: int, now: float) -> list[Untold]:
        """The lane has begun this term; what may leave the journal."""
        self._terms[lane] = term
        return self.add((), now)

    def owes(self, lane: int, term: int) -> bool:
        """Whether the master has to hear more of this term than what handlers have returned."""
        return any(
            (one.outcome.lane, one.term) == (lane, term) and one.outcome.told is not Told.HANDLED for one in self._kept
        )

    def listed(self, counter: int, terms: Mapping[int, int], now: float) -> tuple[Outcome, ...]:
        """What the report with this counter lists; `terms`: lane to its present term."""
        if not self._kept:
            self.timer = None
            return ()
        present = (one for one in self._kept if one.term == terms.get(one.outcome.lane))
        own = nsmallest(OUTCOMES_MAX, present, key=lambda one: one.place)
        results = (one for one in self._kept if one.outcome.told is Told.HANDLED)
        before = (one for one in results if one.term < terms.get(one.outcome.lane, 0))
        room = (OUTCOMES_MAX - len(own)) * RESULTS_MAX // OUTCOMES_MAX
        earlier = nsmallest(room, before, key=lambda one: (one.term, one.place))
        listing = (*own, *earlier)
        if listing:
            self._listings[counter] = listing
            if len(self._listings) > _LISTINGS:
                del self._listings[next(iter(self._listings))]
        self._attempts += 1
        self._again(now)
        return (*(one.outcome for one in own), *(replace(one.outcome, earlier=one.term) for one in earlier))

    def heard(self, counter: int, now: float) -> list[Untold]:
        """The master has committed that report; what may leave the journal."""
        settled = [one for one in self._listings.pop(counter, ()) if one in self._kept]
        for one in settled:
            del self._kept[one]
        self._attempts = 0
        self.timer = now if self._kept else None
        return settled

    def _again(self, now: float) -> None:
        self.timer = now + untold_delay(self._attempts, self._chance()) if self._kept else None
