"""What the master says, verified: by the master that this node trusts, under a key of its group, in order.

Rules: signatures of whom no known key vouches for share a budget; within a boot each counter is accepted once; a lower
(term, boot) than the highest heard is refused, also after a restart.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from netcrier.core.events import Pin
from netcrier.core.node.epochs import CONTENT, Epochs
from netcrier.core.pacing import Budget
from netcrier.core.replay import CounterWindow
from netcrier.errors import DecodeError
from netcrier.wire import signed
from netcrier.wire.beacon import Beacon, Marks, open_marks, verify_beacon
from netcrier.wire.envelope import AgreementKey, SealKey, Verifier
from netcrier.wire.header import DOWN_SIZE, epoch_of, group_of
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import STRANGERS_PER_SECOND
from netcrier.wire.signed import Head


class Membership(msgspec.Struct, frozen=True):
    """What a node keeps of its group. `keys`: epoch to secret; `term`, `boot`: the highest heard of the master."""

    keys: tuple[tuple[int, bytes], ...] = ()
    index: int | None = None
    term: int = 0
    boot: int = 0
    group_name: str = ""
    told: tuple[tuple[str, str], ...] = ()
    """What the master knows selectors to look at."""


class Hearing:
    """See the module."""

    def __init__(self, membership: Membership) -> None:
        self.membership = membership
        self.epochs = Epochs(membership.keys)
        self.pin: Pin | None = None
        self.heard_at: float | None = None
        """When the master was last heard."""
        self._verifier: Verifier | None = None
        self._counters = CounterWindow()
        self._strangers = Budget(STRANGERS_PER_SECOND)

    @property
    def verifier(self) -> Verifier:
        """Of the master that is trusted; there is one."""
        assert self._verifier is not None
        return self._verifier

    @property
    def numbers(self) -> tuple[int, int]:
        """The highest (term, boot) heard."""
        return self.membership.term, self.membership.boot

    def trust(self, pin: Pin) -> bool:
        """Another master, or the same anew; True where it is another group: then nothing is known of it."""
        other = self.pin is None or self.pin.group != pin.group
        self.pin, self._verifier = pin, Verifier(pin.signing_key)
        return other

    def anew(self, membership: Membership, group_name: str) -> None:
        """Another group, of which this is known."""
        self.membership = replace(membership, group_name=group_name or membership.group_name)
        self.epochs = Epochs(membership.keys)
        self._counters = CounterWindow()

    def stranger(self, now: float) -> None:
        """Spend one check of what no known key vouches for; DecodeError beyond the budget."""
        if not self._strangers.spend(now):
            raise DecodeError("too many strangers")

    def meet(self, data: bytes, beacon: Beacon, key: AgreementKey, now: float) -> Pin:
        """First use: whom to trust from now on, where the beacon holds. `key` is the node's."""
        self.stranger(now)
        verify_beacon(data, Verifier(beacon.signing_key))
        key.agree(beacon.agreement_key)  # a key of low order would fail at every hello
        return Pin(beacon.group, beacon.signing_key, beacon.agreement_key, "", "first-use")

    def ours(self, beacon: Beacon) -> Verifier:
        """What verifies a beacon of the master that this node trusts; DecodeError for another's."""
        assert self.pin is not None
        if beacon.group != self.pin.group:
            raise DecodeError("other group")
        if beacon.signing_key != self.pin.signing_key:
            raise DecodeError("other master")
        return self.verifier

    def marks(self, data: bytes, beacon: Beacon, now: float) -> Marks | None:
        """The sealed half of a beacon; None where its key is not here yet, within the strangers' budget.

        A seal that does not open may be a forgery, or the work of a master that has taken over from an old copy of its
        store and made another key of this number: the signature tells.
        """
        if beacon.term <= self.membership.term:
            self.epochs.not_before(beacon.epoch)
        if beacon.epoch in self.epochs:
            try:
                return open_marks(data, self.epochs.seals)
            except DecodeError as error:
                if error.reason != "bad seal" or not self._strangers.spend(now):
                    raise
        else:
            self.stranger(now)
        return None

    def opened(self, kind: Kind, data: bytes) -> bytes:
        """The plaintext of what is sealed for the group; nothing is verified yet."""
        key = self.epochs.by_header.get(data[:DOWN_SIZE]) or self._key(kind, data)
        return key.open(data, DOWN_SIZE)

    def said(self, kind: Kind, plaintext: bytes, head: Head) -> None:
        """Returns where the master has signed this; DecodeError else."""
        assert self.pin is not None
        signed.verify(kind, self.pin.group, plaintext, self.verifier)
        if head.master != self.verifier.master:
            raise DecodeError("other master")

    def order(self, head: Head) -> bool:
        """Refuse what is replayed; True where the boot is newer than any heard."""
        theirs = (head.term, head.boot)
        if theirs < self.numbers:
            raise DecodeError("old boot")
        newer = theirs > self.numbers
        if newer:
            self.membership = replace(self.membership, term=head.term, boot=head.boot)
            self._counters = CounterWindow()
        if not self._counters.accept(head.counter):
            raise DecodeError("replayed")
        return newer

    def _key(self, kind: Kind, data: bytes) -> SealKey:
        """By what this is sealed, once its header has been looked at; DecodeError where it is not taken."""
        if self.pin is None:
            raise DecodeError("not enrolled")
        if group_of(data) != self.pin.group:
            raise DecodeError("other group")
        epoch = epoch_of(data)
        if kind not in CONTENT:
            self.epochs.not_before(epoch)
        key = self.epochs.seals.get(epoch)
        if key is None:
            raise DecodeError("unknown epoch")
        self.epochs.by_header[data[:DOWN_SIZE]] = key
        return key

    def current(self, term: int, boot: int) -> None:
        """Refuse an answer of a lower boot than was heard."""
        if (term, boot) < self.numbers:
            raise DecodeError("old boot")

    def enrolled(self, membership: Membership) -> None:
        """The master has let the node in."""
        if (membership.term, membership.boot) > self.numbers:
            self._counters = CounterWindow()
        self.membership = membership

    def take_keys(self, keys: tuple[tuple[int, bytes], ...]) -> None:
        """What the master has given replaces all keys."""
        self.epochs = Epochs(keys)
        self.membership = replace(self.membership, keys=keys)

    def epoch_opened(self, epoch: int, now: float) -> bool:
        """A beacon of this epoch was opened: its key is the current one; True where it was not before."""
        changed = self.epochs.opened(epoch, now)
        if changed:
            self.membership = replace(self.membership, keys=self.epochs.kept)
        return changed
