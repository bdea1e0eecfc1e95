"""How nodes come to have what is published: it is sent, and what lacks is sent again.

When and to whom is decided apart: repeats.py for messages that nodes request, transfer.py for those in blocks,
solicitor.py for who is here and silent; what a node gets for a number, in stock.py.
"""

from __future__ import annotations

from collections import Counter

from netcrier.core.delivery import Delivery
from netcrier.core.events import Received
from netcrier.core.master.composer import Composed
from netcrier.core.master.deliveries import Deliveries
from netcrier.core.master.repeats import Repeats
from netcrier.core.master.roster import Node, Roster
from netcrier.core.master.solicitor import Solicitor
from netcrier.core.master.stock import Shelf, Stock
from netcrier.core.master.transfer import Transfers
from netcrier.core.master.voice import Voice
from netcrier.core.pacing import FETCHING, earliest, receipt_window
from netcrier.core.parity import Parity
from netcrier.ids import MessageId
from netcrier.wire.fetch import Fetch
from netcrier.wire.kinds import Kind
from netcrier.wire.report import Request
from netcrier.wire.solicit import Solicit, bitmaps, encode_solicit


class Repair:
    """See the module. `window`, where it is asked for, is the receipt window of a message sent now, seconds."""

    def __init__(
        self,
        voice: Voice,
        roster: Roster,
        deliveries: Deliveries,
        stock: Stock,
        shelf: Shelf,
        parity: Parity | None,
        refused: Counter[str],
    ) -> None:
        self._voice, self._deliveries, self._stock = voice, deliveries, stock
        self.solicitor = Solicitor(roster, deliveries)
        self.transfers = Transfers(shelf, deliveries, parity, refused)
        self.repeats = Repeats()
        self.repeated = 0
        """Messages sent again."""

    @property
    def timer(self) -> float | None:
        """When `due` has something to say."""
        return earliest(self.repeats.timer, self.transfers.timer, self.solicitor.timer)

    def publish(self, composed: Composed, delivery: Delivery, window: float, now: float) -> None:
        """Send what is committed."""
        if composed.body:
            delivery.due_from = None
            self.transfers.begin(composed.id, now)
            return
        self._voice.say(self._voice.sealed(Kind.MESSAGE, composed.plaintext))
        self.solicitor.soon(now + self.solicitor.patience(window))

    def requested(self, node: Node, request: Request, got: Received) -> None:
        """A node lacks numbers. DecodeError where it asks for more than its share."""
        self.repeats.allow(request, node.row.index, got.now)
        node.requested_at = got.now
        lacking, skips = self._stock.requested(request, node.row.index, got.now_us)
        for skip in skips:
            self._voice.say_to({node.row.index}, skip)
        self.repeats.want(lacking, node.row.index, got.now)

    def fetched(self, node: Node, fetch: Fetch, got: Received) -> None:
        """A node lacks pieces. DecodeError where it has had more than its share."""
        self.transfers.shares.require(node.row.index, got.now)
        skip = self._stock.skip(fetch.message, node.row.index, got.now_us)
        if skip:
            self.transfers.shares.charge(node.row.index, 1)
            self._voice.say_to({node.row.index}, skip)
        else:
            self.transfers.fetch(fetch, node.row.index, got.now, got.now_us)

    def due(self, now: float, now_us: int, window: float) -> None:
        """Say what is due."""
        if self.repeats.timer is not None and self.repeats.timer <= now:
            for identity, indexes in self.repeats.due(now):
                self._say_again(identity, indexes)
        if self.transfers.timer is not None and self.transfers.timer <= now:
            self._transfer(now, now_us, window)
        if self.solicitor.timer is not None and self.solicitor.timer <= now:
            for lane, sequence, indexes in self.solicitor.due(now, window):
                self.solicit(lane, sequence, indexes)

    def solicit(self, lane: int, sequence: int, indexes: set[int]) -> None:
        """Ask these nodes how far they are, and tell them how far the lane is."""
        window_us = int(receipt_window(len(indexes)) * 1e6)
        for first, bitmap in bitmaps(indexes):
            content = encode_solicit(Solicit(self._voice.head(), lane, sequence, window_us, first, bitmap))
            there = {index for index in indexes if 0 <= index - first < 8 * len(bitmap)}
            self._voice.say_to(there, self._voice.sealed(Kind.SOLICIT, self._voice.signed(Kind.SOLICIT, content)))

    def _say_again(self, identity: MessageId, indexes: set[int]) -> None:
        """Repeat a message to the nodes that lack it."""
        if self.transfers.coming(identity):
            return
        message = self._stock.message(identity)
        if message is None:
            return
        self._deliveries.repeated(identity, indexes)
        self._voice.say_to(indexes, message)
        self.repeated += 1

    def _transfer(self, now: float, now_us: int, window: float) -> None:
        """Send of what goes in blocks as much as the rate allows."""
        for send in self.transfers.due(now, now_us):
            datagram = self._voice.sealed(send.kind, send.plaintext)
            if send.to is None:
                self._voice.say(datagram)
            else:
                self._voice.say_to({send.to}, datagram)
            delivery = self._deliveries.get(send.message)
            if delivery and send.message.term == self._voice.me.term:
                if delivery.due_from is None:
                    self.solicitor.soon(now + self.solicitor.patience(window))
                if send.to is None:
                    delivery.due_from = now + FETCHING
                elif send.to in delivery.outstanding:
                    delivery.served[send.to] = now + FETCHING
