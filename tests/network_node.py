"""A node's machine with its disk, in memory, for the network of tests: what a step makes durable is durable at once."""

from __future__ import annotations

import random

from netcrier.core.events import Address, Asked, CatchUpWanted, LeftTold, Pin, Settled
from netcrier.core.node.batch import Arrival, Lane, Passed
from netcrier.core.node.greeting import Self
from netcrier.core.node.hearing import Membership
from netcrier.core.node.kept import Kept
from netcrier.core.node.listener import Listener
from netcrier.core.outcomes import Untold
from netcrier.core.parity import Parity
from netcrier.ids import MessageId
from netcrier.wire.envelope import AgreementKey


class Node:
    """A listener with its disk: journal, log, pin."""

    def __init__(self, number: int, chance: random.Random, parity: Parity | None = None) -> None:
        self.parity = parity
        self.address: Address = (f"10.0.{number // 250 + 1}.{number % 250 + 1}", 12345)
        self.key = AgreementKey(chance.randbytes(32))
        self.number, self.boot, self.chance = number, 0, chance
        self.pin: Pin | None = None
        self.membership = Membership()
        self.lanes: tuple[Lane, ...] = ()
        self.tags: tuple[tuple[str, str], ...] = ()
        self.passed: list[Passed] = []
        self.untold: dict[Untold, None] = {}
        self.journal: dict[MessageId, Arrival] = {}
        self.log: list[MessageId] = []
        self.log_full = False
        self.left: dict[tuple[int, int], Lane] = {}
        self.wanted: list[CatchUpWanted] = []
        self.asked: list[Asked] = []
        self.start()

    def start(self) -> None:
        """Start, or start again from what is on the disk."""
        self.boot += 1
        me = Self(self.key, self.boot, bytes(16), f"node{self.number}", self.tags)
        left = tuple(self.left.values())
        kept = Kept(self.membership, self.lanes, tuple(self.untold), not self.log_full, left)
        self.listener = Listener(me, self.pin, kept, self.chance.random, self.chance.randbytes, self.parity)

    def settle(self, now: float) -> None:
        """Do what the shell does: keep what events say, commit the batch, write the log."""
        while (event := self.listener.next_event()) is not None:
            if isinstance(event, CatchUpWanted):
                self.wanted.append(event)
            if isinstance(event, Asked):
                self.asked.append(event)
            if isinstance(event, Settled):
                for one in event.outcomes:
                    del self.untold[one]
            if isinstance(event, LeftTold):
                self.left.pop((event.term, event.lane), None)
            self.pin, self.membership = self.listener.pin, self.listener.membership
            self.lanes = self.listener.inbox.lanes
        while (batch := self.listener.take_batch()) is not None:
            for arrival in batch.arrivals:
                assert arrival.message.id not in self.journal
                self.journal[arrival.message.id] = arrival
            self.log += [step for step in batch.released if isinstance(step, MessageId)]
            self.passed += [step for step in batch.released if isinstance(step, Passed)]
            self.untold |= dict.fromkeys(batch.untold)
            self.listener.committed(batch, now)
            self.lanes = self.listener.inbox.lanes
            if self.log_full:
                self.left |= {(lane.term, lane.lane): lane for lane in batch.left}
            else:
                self.write_log(now)

    def write_log(self, now: float) -> None:
        """The log has all that the journal has."""
        self.listener.all_delivered(now)
