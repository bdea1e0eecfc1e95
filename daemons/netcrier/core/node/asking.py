"""How a node gets what it lacks: REQUESTs for numbers, FETCHes for pieces, or a connection where it is much.

When each is due is decided in gaps.py, assembly.py and catch_up.py; while a connection brings messages, UDP asks for
nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from netcrier.core.events import CatchUpWanted
from netcrier.core.node.catch_up import PROGRESS_WITHIN, Backlog
from netcrier.core.node.gaps import GapRequests
from netcrier.core.node.intake import Intake
from netcrier.core.node.upward import Upward
from netcrier.core.pacing import earliest
from netcrier.wire.catch_up import CatchUp, encode_catch_up
from netcrier.wire.fetch import Fetch, encode_fetch
from netcrier.wire.kinds import Kind
from netcrier.wire.report import Request, encode_request


class Asking:
    """See the module. `chance` gives a float in [0, 1)."""

    def __init__(self, intake: Intake, upward: Upward, chance: Callable[[], float]) -> None:
        self._inbox, self._assembly, self._upward = intake.inbox, intake.assembly, upward
        self._gaps = GapRequests(intake.inbox, chance)
        self._backlog = Backlog(chance)

    @property
    def behind(self) -> int:
        """Messages that the master has sent and that lack here."""
        return sum(self._gaps.behind(lane.lane, lane.mark) for lane in self._inbox.lanes)

    def known(self, lane: int, highest: int, now: float) -> None:
        """The master has sent numbers up to `highest`."""
        self._gaps.known(lane, highest, now)

    def forget(self, lane: int) -> None:
        """The lane begins anew, in another term."""
        self._gaps.forget(lane)

    def heard(self) -> None:
        """Something valid came from the master: it is there, do not back off."""
        self._gaps.heard()

    def failed(self, now: float) -> None:
        """The journal refuses: ask again in a second."""
        self._gaps.hold(now, 1.0)

    def look_behind(self, presence: float, now: float) -> None:
        """Connect for what lacks where it is much. `presence` is the group's interval, seconds."""
        planned = self._backlog.timer is not None
        if self._backlog.behind(self.behind, self._assembly.lacking, presence, now):
            self.catching_up(now)
        elif planned and self._backlog.timer is None:
            self._hold(now, 0.0)  # it lacks little now, and nothing else brings that

    def catching_up(self, now: float) -> None:
        """The master's connection brings messages."""
        self._hold(now, PROGRESS_WITHIN)

    def caught_up(self, now: float, *, progressed: bool) -> None:
        """The connection is gone; what still lacks is asked for by UDP."""
        self._backlog.ended(now, progressed=progressed)
        self._hold(now, 0.0)

    @property
    def timer(self) -> float | None:
        """When `due` has something to say."""
        return earliest(self._gaps.timer, self._backlog.timer, self._assembly.timer)

    def due(self, now: float) -> CatchUpWanted | None:
        """Ask by UDP for what is due; what to connect with, where it is much."""
        wanted = self._connection(now) if self._backlog.due(now) else None
        for lane, ranges in self._gaps.due(now):
            term = next(state.term for state in self._inbox.lanes if state.lane == lane)
            request = Request(self._upward.next_counter(), term, lane, ranges)
            self._upward.say(Kind.REQUEST, encode_request(request))
        if self._assembly.timer is not None and self._assembly.timer <= now:
            for message, lacks in self._assembly.due(now):
                fetch = Fetch(self._upward.next_counter(), message, self._assembly.parity_of_use, lacks)
                self._upward.say(Kind.FETCH, encode_fetch(fetch))
        return wanted

    def _connection(self, now: float) -> CatchUpWanted:
        lanes = tuple((lane.lane, lane.term, lane.mark) for lane in self._inbox.lanes)
        ask = encode_catch_up(CatchUp(self._upward.next_counter(), lanes))
        assert self._upward.to is not None
        self.catching_up(now)
        return CatchUpWanted(self._upward.to, self._upward.sealed(Kind.CATCH_UP, ask))

    def _hold(self, now: float, pause: float) -> None:
        """Ask for nothing by UDP for `pause` seconds."""
        self._gaps.hold(now, pause)
        self._assembly.hold(now, pause)
