"""A node's reports: when the next is due, and what it says of lanes, beacon and kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from netcrier.core.node.inbox import Lane
from netcrier.core.pacing import presence_interval
from netcrier.ids import MessageId
from netcrier.wire.limits import EXTRAS_MAX
from netcrier.wire.report import LaneReport, Outcome, Report

_MOST = 2**32 - 1


class Reporter:
    """See the module. `chance` gives a float in [0, 1); `logged`: whether the log has all up to the marks."""

    def __init__(self, lanes: Iterable[Lane], chance: Callable[[], float], logged: bool) -> None:
        self._chance = chance
        self._delivered = {lane.lane: (lane.term, lane.mark if logged else 0) for lane in lanes}
        self._at: float | None = None
        self._presence_at: float | None = None
        self._beacon: tuple[int, float] = (0, 0.0)
        self.presence = presence_interval(1)
        """Seconds between two reports, at most."""
        self.drops = 0
        """Datagrams that the kernel has dropped, in all."""

    @property
    def pending(self) -> bool:
        """Whether a report is due for a reason of its own, not for presence alone."""
        return self._at is not None

    @property
    def timer(self) -> float | None:
        """When the next report is due."""
        at, presence_at = self._at, self._presence_at
        return presence_at if at is None or (presence_at is not None and presence_at < at) else at

    def soon(self, now: float, delay: float) -> None:
        """Report within `delay` seconds."""
        at = now + delay
        if self._at is None or at < self._at:
            self._at = at

    def present(self, now: float) -> None:
        """The master is heard: show presence from now on."""
        if self._presence_at is None:
            self._presence_at = now + self.presence * self._chance()

    def beacon(self, counter: int, now: float) -> None:
        """The newest beacon that was opened; counter 0: they are counted anew."""
        self._beacon = (counter, now)

    def begin(self, lane: Lane) -> None:
        """A lane starts here."""
        self._delivered[lane.lane] = (lane.term, lane.mark)

    def delivered(self, message: MessageId) -> bool:
        """Everything of the lane up to this message is in the log; False where that was known, or the term is over."""
        term, sequence = self._delivered.get(message.lane, (message.term, -1))
        if message.term != term or message.sequence <= sequence:
            return False
        self._delivered[message.lane] = (term, message.sequence)
        return True

    def report(self, counter: int, states: tuple[Lane, ...], outcomes: tuple[Outcome, ...], now: float) -> Report:
        """What to say now; the next is due for presence."""
        most = EXTRAS_MAX // max(1, len(states))  # all lanes share one datagram
        delivered = self._delivered
        lanes = [
            LaneReport(lane.lane, lane.term, lane.mark, delivered[lane.lane][1], lane.chain, lane.extras[:most])
            for lane in states
        ]
        heard, at = self._beacon
        held = min(int((now - at) * 1e6), _MOST)
        self._at = None
        self._presence_at = now + self.presence * (0.7 + 0.2 * self._chance())
        return Report(counter, tuple(lanes), heard, held, min(self.drops, _MOST), outcomes)
