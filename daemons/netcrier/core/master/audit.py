"""Reads what is said of this master's own identity: beacons of other masters that have it, and what nodes tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netcrier.core.events import Received
from netcrier.core.master.roster import Roster
from netcrier.core.master.tenure import Rival
from netcrier.core.pacing import Budget
from netcrier.errors import DecodeError
from netcrier.ids import MasterId, NodeId
from netcrier.wire.beacon import decode_beacon, verify_beacon
from netcrier.wire.envelope import Verifier
from netcrier.wire.header import up_key
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import STRANGERS_PER_SECOND, TALLIES_PER_SECOND
from netcrier.wire.tally import Tally, open_tally, read_teller

if TYPE_CHECKING:
    from netcrier.core.master.voice import Identity


class Audit:
    """See the module. Nodes of the roster are believed; where it is empty, any that holds the key it names."""

    def __init__(self, me: Identity, master: MasterId, roster: Roster) -> None:
        self._me, self._master, self._roster = me, master, roster
        self._verifier = Verifier(me.signer.public)
        self._strangers = Budget(STRANGERS_PER_SECOND)
        self._tallies = Budget(TALLIES_PER_SECOND)

    def rival(self, got: Received, newest: int) -> tuple[Rival, bool] | None:
        """A beacon of this identity, verified, and whether it only asks; None for this master's own, which comes back
        on every carrier. DecodeError else. `newest`: the highest counter of its own beacons while it speaks.
        """
        beacon = decode_beacon(got.data)
        if beacon.signing_key != self._me.signer.public:
            raise DecodeError("other master")
        if (beacon.term, beacon.boot) == (self._me.term, self._me.boot) and (beacon.asking or beacon.counter <= newest):
            return None
        if not self._strangers.spend(got.now):
            raise DecodeError("too many strangers")
        verify_beacon(got.data, self._verifier)
        listed = beacon.addresses
        handed_on = bool(listed) and got.source[0].partition("%")[0] not in listed  # by a node that knows better
        address = (listed[0], beacon.port) if handed_on else got.source
        return Rival(address, beacon.term, beacon.boot, beacon.counter, beacon.epoch, got.now), beacon.asking

    def tally(self, got: Received) -> tuple[NodeId, Tally]:
        """A node, and what it tells. DecodeError where it is not for this run, or the node is not known."""
        if not self._tallies.spend(got.now):
            raise DecodeError("too many strangers")
        identity, boot, public = read_teller(got.data)
        node = self._roster.get(identity)
        if len(self._roster) and (node is None or not node.row.approved):
            raise DecodeError("unknown node")
        me = self._me
        shared = node.shared if node else me.agreement.agree(public)
        key = up_key(shared, Kind.TALLY, me.group, self._master, (me.term, me.boot, boot), identity)
        return identity, open_tally(got.data, key)
