"""What the master says: numbered, signed, sealed and addressed, until the shell takes it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from netcrier.core.events import Address, Audience, Datagram
from netcrier.core.master.keyring import Keyring
from netcrier.core.master.roster import Roster
from netcrier.core.pacing import few
from netcrier.ids import GroupId
from netcrier.wire import signed
from netcrier.wire.envelope import AgreementKey, Signer, master_id
from netcrier.wire.header import seal_down
from netcrier.wire.kinds import Kind
from netcrier.wire.signed import Head


class Identity(msgspec.Struct, frozen=True):
    """The master's keys and numbers. `boot` is committed before the first datagram of this run."""

    group: GroupId
    group_name: str
    signer: Signer
    agreement: AgreementKey
    term: int
    boot: int
    port: int


class Voice:
    """See the module. `counter` is the number of the newest head."""

    def __init__(self, me: Identity, keyring: Keyring, roster: Roster) -> None:
        self.me = me
        self.id = master_id(me.signer.public)
        self.counter = 0
        self._keyring, self._roster = keyring, roster
        self._out: list[Datagram] = []

    def head(self) -> Head:
        """The next number."""
        self.counter += 1
        return Head(self.id, self.me.term, self.me.boot, self.counter)

    def signed(self, kind: Kind, content: bytes) -> bytes:
        """The plaintext to seal, or to keep and seal later."""
        return signed.signed(kind, self.me.group, content, self.me.signer)

    def sealed(self, kind: Kind, plaintext: bytes) -> bytes:
        """The datagram, under the group key of the day."""
        return seal_down(kind, self.me.group, self._keyring.keys.epoch, self._keyring.sealing(), plaintext)

    def say(self, data: bytes, to: Address | Audience = Audience.ALL) -> None:
        """To one address or to an audience."""
        self._out.append(Datagram(data, to))

    def say_to(self, indexes: set[int], data: bytes) -> None:
        """To these nodes, one by one where they are few and their addresses are known, else to all."""
        nodes = [self._roster.at(index) for index in indexes]
        addresses = [node.address for node in nodes if node and node.address]
        if len(addresses) < len(indexes) or len(indexes) > few(len(self._roster)):
            self.say(data)
        else:
            for address in addresses:
                self.say(data, address)

    def hand(self, datagrams: Iterable[Datagram]) -> None:
        """Datagrams that are made elsewhere."""
        self._out.extend(datagrams)

    def take(self) -> list[Datagram]:
        """What has been said since the last time."""
        out, self._out = self._out, []
        return out
