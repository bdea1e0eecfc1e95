"""Nodes with journals and logs on disk, in memory else: crashes, power cuts, refusing disks, take-overs and absences in
any order.

What must come of it: each number of a term is in a node's log once, as a message or within a loss, or was not for it;
lines count from 1 without a gap; and no receipt says more than the disk. Where journals are lost too, what the master
has heard of may lack in the log, and then it is not `delivered`.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from msgspec.structs import replace
from netcrier.core.delivery import State
from netcrier.core.events import CatchUpWanted, Settled
from netcrier.core.master.outbox import OutLane
from netcrier.core.node.greeting import Self
from netcrier.core.node.listener import Listener
from netcrier.ids import MasterId, MessageId
from netcrier.noded.journal.entry import Entry
from netcrier.noded.journal.journal import Journal
from netcrier.noded.journal.sound import open_sound
from netcrier.noded.message_log import MessageLog, last_number
from netcrier.runtime.logs import JsonLog
from netcrier.wire.envelope import master_id

from tests.network import Network
from tests.network_node import Node

NODES = 4


class Disk(Node):
    """A node whose journal and log are files; `bad` is the chance that its disks refuse or it dies."""

    def __init__(self, number: int, chance: random.Random, place: Path) -> None:
        self.name = f"node{number}"
        self.place, self.bad = place / self.name, 0.0
        self.place.mkdir()
        self.had: set[MessageId] = set()
        self.store: Journal | None = None
        self.lines: JsonLog | None = None
        super().__init__(number, chance)

    def start(self) -> None:
        self.boot += 1
        self.stop()
        self.lines = JsonLog(self.place / "messages.log")
        self.lines.cut_tail()
        self.store, self.told = open_sound(self.place / "journal", last_number(self.lines), self.boot == 1)
        self.writer = MessageLog(self.lines, self.store, "epoch")
        self.log_more()
        me = Self(self.key, self.boot, bytes(16), f"node{self.number}", self.tags)
        self.listener = Listener(
            me, self.pin, self.store.kept(self.master), self.chance.random, self.chance.randbytes
        )  # fmt: skip

    def lose(self) -> None:
        """The journal, and start again."""
        self.stop()
        for file in self.place.glob("journal*"):
            file.unlink()
        self.start()
        assert "the journal was lost" in self.told

    def lose_power(self) -> None:
        """The log's last lines are not on the disk yet; its first is, and all of the journal."""
        self.stop()
        log = self.place / "messages.log"
        lines = log.read_text().splitlines(keepends=True)
        log.write_text("".join(lines[: max(1, len(lines) - self.chance.choice([0, 1, 3]))]))

    def stop(self) -> None:
        if self.store and self.lines:
            self.store.close()
            self.lines.close()

    @property
    def master(self) -> MasterId:
        return master_id(self.pin.signing_key) if self.pin else MasterId(b"")

    def settle(self, now: float) -> None:
        """As noded's shell does."""
        listener, store = self.listener, self.store
        assert store
        while (event := listener.next_event()) is not None:
            self.pin = listener.pin
            match event:
                case CatchUpWanted():
                    self.wanted.append(event)
                case Settled():
                    store.settle(self.master, event.outcomes)
                case _:
                    store.keep_membership(self.master, listener.membership, listener.inbox.lanes)
        while (batch := listener.take_batch()) is not None:
            if self.chance.random() < self.bad:
                listener.failed(batch, now)
                continue
            store.commit(batch, self.master, "token")
            self.had |= {arrival.message.id for arrival in batch.arrivals}
            if self.chance.random() < self.bad:
                self.start()
                return
            written = self.log_more()
            listener.committed(batch, now)
            self.said(written, now)

    def log_more(self) -> list[Entry]:
        """Until the log's disk is full."""
        lines = self.lines
        assert lines
        lines.append = lambda line: self.chance.random() >= self.bad and JsonLog.append(lines, line)  # type: ignore[method-assign]
        return self.writer.catch_up()

    def said(self, written: list[Entry], now: float) -> None:
        assert self.store
        for entry in written:
            self.listener.delivered(replace(entry.id, sequence=entry.last), now)
        if self.store.logged == self.store.newest:
            self.listener.all_delivered(now)

    def logged(self) -> list[dict[str, int]]:
        return [json.loads(line) for line in (self.place / "messages.log").read_text().splitlines()]


def covered(lines: list[dict[str, int]], message: MessageId) -> list[int]:
    """The numbers of the message's lane and term that the log speaks of, in its order."""
    mine = [line for line in lines if (line["term"], line["lane"]) == (message.term, message.lane)]
    return [number for line in mine for number in range(line["seq"], line.get("last", line["seq"]) + 1)]


class Life:
    """A master in memory, its nodes, and what it has sent."""

    def __init__(self, seed: int, place: Path, losing: bool) -> None:
        self.net, self.chance, self.losing = Network(0, seed=600 + seed, loss=0.1), random.Random(seed), losing
        self.nodes = [Disk(number, self.net.chance, place) for number in range(NODES)]
        self.net.nodes = list[Node](self.nodes)
        self.sent: dict[MessageId, tuple[str, ...]] = {}
        """To the names of the nodes that it is for; none: all."""
        self.seen = 0
        self.unheard: set[MessageId] = set()
        """What no store and no node that was asked had at a take-over."""

    def happen(self) -> None:
        """One thing, then a little time."""
        take_overs = [self.take_over, self.take_over_from_a_copy]
        things = [*take_overs, self.leave, self.come_back, self.die, self.drop, *[self.send] * 4]
        self.chance.choice(things)()
        self.net.run(self.chance.random() * 0.6)

    def take_over(self) -> None:
        self.net.boot += 1
        self.net.begin_term(self.net.term + self.chance.randint(1, 2))

    def take_over_from_a_copy(self) -> None:
        """Its store ends earlier; it has asked the nodes that are here. What neither knows of is nobody's."""
        for out in self.net.lanes:
            kept = self.chance.randint(out.lowest - 1, out.highest)
            here = [lane for node in self.net.nodes for lane in node.listener.inbox.lanes]
            told = [lane.mark for lane in here if (lane.lane, lane.term) == (out.lane, self.net.term)]
            self.cut(out, kept, max(kept, *told, 0))
        self.take_over()

    def cut(self, out: OutLane, kept: int, known: int) -> None:
        """The lane ends at `kept`; nodes have told of numbers up to `known`."""
        net = self.net
        net.unknown += [(net.term, out.lane, known)] if known > kept else []
        for sequence in range(kept + 1, out.highest + 1):
            lost = MessageId(net.term, out.lane, sequence)
            net.forget(lost)
            net.master.deliveries._all.pop(lost, None)
            if sequence > known or self.losing:  # who had it may have lost it, and this store never heard of it
                self.unheard.add(lost)
        left = len(out.digests) - (out.highest - kept)
        out.digests, out.chains = out.digests[:left], out.chains[:left]

    def leave(self) -> None:
        if len(self.net.nodes) > 1:
            self.net.nodes.pop(self.chance.randrange(len(self.net.nodes)))

    def come_back(self) -> None:
        for node in self.nodes:
            if node not in self.net.nodes:
                node.start()
                self.net.nodes.append(node)

    def die(self) -> None:
        node = self.chance.choice(self.nodes)
        if self.losing and self.chance.random() < 0.5:
            node.lose()
        else:
            if not self.losing:
                node.lose_power()
            node.start()

    def drop(self) -> None:
        """The store no longer keeps what is before some message."""
        if not self.sent:
            return
        net, message = self.net, self.chance.choice(list(self.sent))
        lane = net.master.stock.lane(message.lane, message.term)
        lowest = min(max(lane.lowest, message.sequence), lane.highest + 1)
        for sequence in range(lane.lowest, lowest):
            net.forget(MessageId(message.term, message.lane, sequence))
        net.master.dropped(message.term, message.lane, lowest, net.now)

    def send(self) -> None:
        for _ in range(self.chance.choice([1, 1, 6])):
            names = self.chance.choice([(), (), ("node0",), ("node1",)])
            to, ttl_ms = "".join(f"name={name}" for name in names), self.chance.choice([0, 0, 200])
            body = self.net.chance.randbytes(self.chance.choice([10, 10, 4000]))
            self.sent[self.net.broadcast(body, self.chance.randrange(2), to, ttl_ms).id] = names

    def index_of(self, node: Disk) -> int:
        return self.net.rows[node.listener.id].index

    def check_receipts(self) -> None:
        """The new ones say no more than the disks."""
        by_index = {self.index_of(node): node for node in self.nodes}
        for receipt in self.net.receipts[self.seen :]:
            message, node = receipt.message, by_index[receipt.index]
            if receipt.state is State.RECEIVED:
                assert message in node.had or node.name not in (self.sent[message] or (node.name,))
            elif receipt.state is State.DELIVERED:
                assert message.sequence in covered(node.logged(), message)
        self.seen = len(self.net.receipts)

    def check_log(self, node: Disk) -> None:
        """It has what was meant for the node, in order, once."""
        lines = node.logged()
        assert [line["n"] for line in lines] == list(range(1, len(lines) + 1))
        heard = {receipt.message for receipt in self.net.receipts if receipt.index == self.index_of(node)}
        for first in {replace(message, sequence=1) for message in self.sent}:
            lane = [one for one in self.sent if replace(one, sequence=1) == first and one not in self.unheard]
            meant = [message.sequence for message in lane if node.name in (self.sent[message] or (node.name,))]
            found = covered(lines, first)
            if self.losing:
                assert all(number in found or replace(first, sequence=number) in heard for number in meant)
            else:
                assert [number for number in found if number in meant] == meant
                assert len(set(found)) == len(found)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("losing", [False, True])
def test_each_number_is_logged_once_and_no_receipt_says_more_than_the_disk(
    seed: int, losing: bool, tmp_path: Path
) -> None:
    life = Life(seed, tmp_path, losing)
    life.net.run(120, until=lambda: len(life.net.rows) == NODES and all(node.listener.enrolled for node in life.nodes))
    life.net.run(2)
    for node in life.nodes:
        node.bad = 0.15
    for _ in range(40):
        life.happen()
        life.check_receipts()
    for node in life.nodes:
        node.bad = 0.0
    life.come_back()
    life.net.run(60)
    for node in life.nodes:
        node.said(node.log_more(), life.net.now)
    life.net.run(30)
    life.check_receipts()
    for node in life.nodes:
        assert {lane.term for lane in node.listener.inbox.lanes} == {life.net.term}
        life.check_log(node)
        node.stop()
