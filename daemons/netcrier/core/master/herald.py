"""The master's beacons: what each says, to whom it goes, and under which counter it left."""

from __future__ import annotations

from collections.abc import Mapping

from netcrier.core.events import Address, Audience, Datagram
from netcrier.core.master.beacon_clock import BeaconClock
from netcrier.core.master.intake import Intake
from netcrier.core.master.keyring import Keyring
from netcrier.core.master.outbox import OutLane
from netcrier.core.master.reach import Reach
from netcrier.core.master.roster import Roster
from netcrier.core.master.voice import Voice
from netcrier.core.pacing import BEACON_IDLE, receipt_window
from netcrier.wire.beacon import Beacon, Marks, encode_beacon


class Herald:
    """See the module."""

    def __init__(self, voice: Voice, keyring: Keyring, lanes: Mapping[int, OutLane], roster: Roster) -> None:
        self._voice, self._keyring, self._lanes, self._roster = voice, keyring, lanes, roster
        self.clock = BeaconClock()
        self.reach = Reach(roster, self.clock)
        self.intake = Intake()
        self.addresses: tuple[str, ...] = ()
        """Where nodes may answer: the shell says so, whenever it changes."""
        self.serves_single = False
        """Whether some node is served one by one, on the shell's word."""
        self._told_masters = -BEACON_IDLE

    @property
    def window(self) -> float:
        """The receipt window of a message sent now, seconds."""
        return receipt_window(len(self._roster.members()), self.intake.per_second)

    def say(self, now: float, now_us: int) -> bytes:
        """A beacon to everyone; the shared one."""
        calls = self.reach.calls(now)
        if self.serves_single or self.reach.targets or calls:
            # A beacon of its own: a report that names its counter tells which of the two was heard.
            counter, data = self._beacon(now, now_us)
            self._voice.say(data, Audience.SINGLE)
            for to in calls:
                self._voice.say(data, to)
            self.clock.left(counter, now, single=True)
        counter, data = self._beacon(now, now_us)
        self._voice.say(data, Audience.SHARED)
        if now - self._told_masters >= BEACON_IDLE:
            self._told_masters = now
            self._voice.say(data, Audience.MASTERS)
        self.clock.left(counter, now)
        self.clock.said(now)
        return data

    def answer(self, rival: Address, now: float, now_us: int) -> None:
        """Tell another master of this identity that this one speaks."""
        data = self.say(now, now_us)
        self._voice.say(data, Audience.MASTERS)
        self._voice.say(data, rival)

    def inquiry(self, now: float, now_us: int) -> list[Datagram]:
        """What a master that does not speak asks of nodes and other masters."""
        _, data = self._beacon(now, now_us, asking=True)
        return [Datagram(data, to) for to in (Audience.SINGLE, Audience.SHARED, Audience.MASTERS)]

    def _beacon(self, now: float, now_us: int, *, asking: bool = False) -> tuple[int, bytes]:
        """The next counter, and the beacon that bears it."""
        me, keys, head = self._voice.me, self._keyring.keys, self._voice.head()
        beacon = Beacon(
            me.group, keys.epoch, me.signer.public, me.agreement.public,
            me.term, me.boot, head.counter, keys.open, me.port, self.addresses, asking,
        )  # fmt: skip
        presence = int(self._roster.presence * 1000)
        spans = tuple(lane.span() for lane in self._lanes.values())
        marks = Marks(spans, int(self.window * 1e6), presence, now_us, me.group_name, *self._keyring.announcement(now))
        return head.counter, encode_beacon(beacon, marks, self._keyring.sealing(), me.signer)
