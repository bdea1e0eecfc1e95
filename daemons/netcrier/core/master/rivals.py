"""Other masters of this one's identity: hears them and what nodes know of them, answers them while it speaks itself,
and asks while it does not.

What is believed is decided in audit.py, who may speak in tenure.py.
"""

from __future__ import annotations

from collections import deque

from netcrier.core.events import Datagram, MasterEvent, Received
from netcrier.core.master.audit import Audit
from netcrier.core.master.herald import Herald
from netcrier.core.master.roster import Roster
from netcrier.core.master.tenure import Tenure
from netcrier.core.master.voice import Voice
from netcrier.core.standing import StandingChanged


class Rivals:
    """See the module. Changes of the standing become events."""

    def __init__(
        self, tenure: Tenure, voice: Voice, herald: Herald, roster: Roster, events: deque[MasterEvent]
    ) -> None:
        self._tenure, self._voice, self._herald, self._events = tenure, voice, herald, events
        self._audit = Audit(voice.me, voice.id, roster)
        self._inquiries: list[Datagram] = []

    def on_beacon(self, got: Received) -> None:
        """A beacon in this master's group."""
        heard = self._audit.rival(got, self._voice.counter if self._tenure.speaking else 0)
        if heard is None:
            return
        rival, asking = heard
        answers, settled = self._tenure.beacon(rival, self._voice.counter, asking=asking)
        if answers:
            self._herald.answer(got.source, got.now, got.now_us)
        self._settle(settled)

    def on_tally(self, got: Received) -> None:
        """What a node has heard."""
        self._tenure.tally(*self._audit.tally(got))

    def due(self, now: float, now_us: int) -> None:
        """While the master does not speak: ask what is due; see what it has come to."""
        asks, settled = self._tenure.due(now)
        if asks:
            self.inquire(now, now_us)
        self._settle(settled)

    def inquire(self, now: float, now_us: int) -> None:
        """Ask nodes and other masters what they have heard."""
        self._inquiries += self._herald.inquiry(now, now_us)

    def take(self) -> list[Datagram]:
        """What has been asked since the last time."""
        asked, self._inquiries = self._inquiries, []
        return asked

    def _settle(self, settled: StandingChanged | None) -> None:
        if settled is not None:
            self._events.append(settled)
