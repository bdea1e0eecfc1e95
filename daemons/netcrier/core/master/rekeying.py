"""The answer to a member that lacks a group key. Its own seal has told who asks, so no budget of strangers holds it
back: a rotation reaches RENEWALS_PER_SECOND members in a second."""

from __future__ import annotations

from collections.abc import Callable

from netcrier.core.events import Datagram, Received
from netcrier.core.master.keyring import Keyring
from netcrier.core.master.roster import Node
from netcrier.core.pacing import Budget
from netcrier.errors import DecodeError
from netcrier.ids import GroupId
from netcrier.wire.envelope import AgreementKey, Signer
from netcrier.wire.handshake import KnownAnswerer
from netcrier.wire.header import UP_SIZE, single_front
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import RENEWALS_PER_SECOND
from netcrier.wire.rekey import Rekey, Renew, encode_rekey


class Rekeying:
    """See the module."""

    def __init__(
        self,
        group: GroupId,
        signer: Signer,
        agreement: AgreementKey,
        keyring: Keyring,
        entropy: Callable[[int], bytes],
    ) -> None:
        self._group, self._signer, self._agreement = group, signer, agreement
        self._keyring, self._entropy = keyring, entropy
        self._budget = Budget(RENEWALS_PER_SECOND)
        self.given = 0
        """Members that got a key in this run, each time counted."""

    def answer(self, got: Received, node: Node, renew: Renew, numbers: tuple[int, int]) -> Datagram:
        """The keys for an approved node; `numbers`: the master's term and boot. DecodeError beyond the budget."""
        if not self._budget.spend(got.now):
            raise DecodeError("too many renewals")
        exchange = KnownAnswerer(got.data[:UP_SIZE], self._agreement, node.row.public, node.shared, renew.question)
        rekey = Rekey(*numbers, self._keyring.keys.given)
        payload = encode_rekey(rekey, exchange.transcript, self._signer)
        answer = exchange.answer(AgreementKey(self._entropy(32)), payload)
        datagram = single_front(Kind.REKEY, self._group, node.row.id) + answer
        assert len(datagram) <= len(got.data), "an answer longer than the question"
        self.given += 1
        return Datagram(datagram, got.source)
