"""A stolen node against real daemons: with its keys, the group's and a recording, it gets nowhere, and is counted.

What the machines refuse one by one is in tests/security; here they stand on real sockets and real disks.
"""

from __future__ import annotations

import json
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from netcrier.control.types.roster import NodeRequest
from netcrier.core.master.transfer import MEASURE_AFTER
from netcrier.errors import DecodeError
from netcrier.ids import GroupId, MasterId, MessageId, NodeId
from netcrier.noded.journal.journal import Journal
from netcrier.wire import signed
from netcrier.wire.beacon import Beacon, LaneSpan, Marks, encode_beacon
from netcrier.wire.catch_up import CatchUp, encode_catch_up, frame
from netcrier.wire.envelope import NO_CHAIN, AgreementKey, SealKey, Signer, node_id
from netcrier.wire.fetch import Fetch, Lack, encode_fetch
from netcrier.wire.header import UpHeader, open_down, read_front, seal_down, seal_up, single_front, up_key
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import (
    BLOCKS_MAX,
    FRAGMENTS_MAX,
    MESSAGE_MAX,
    REQUEST_MESSAGES_MAX,
    REQUESTED_PER_SECOND,
)
from netcrier.wire.message import Message, encode_message
from netcrier.wire.report import LaneReport, Report, Request, encode_report, encode_request
from netcrier.wire.signed import Head
from netcrier.wire.solicit import Solicit, encode_solicit
from netcrier_ctl.lab import Lab

from tests.intruder import Intruder
from tests.site import Daemon, Site, eventually


@dataclass(frozen=True)
class Loot:
    """What is on the disk of a stolen node."""

    group: GroupId
    master: MasterId
    master_signing: bytes
    master_agreement: bytes
    own: AgreementKey
    keys: dict[int, SealKey]
    epoch: int
    boots: tuple[int, int]
    """Term and boot of the master."""
    boot: int
    """The node's own."""

    def forged(self, kind: Kind, content: bytes) -> bytes:
        """Under the true group key, signed by the thief."""
        plaintext = signed.signed(kind, self.group, content, THIEF)
        return seal_down(kind, self.group, self.epoch, self.keys[self.epoch], plaintext)

    def in_the_name_of(self, victim: NodeId, boot: int, kind: Kind, content: bytes) -> bytes:
        """Upward, sealed with what the thief can agree on with the master."""
        shared = self.own.agree(self.master_agreement)
        key = up_key(shared, kind, self.group, self.master, (*self.boots, boot), victim)
        return seal_up(UpHeader(kind, self.group, victim, boot), key, content)


THIEF = Signer(b"thief".ljust(32))


def loot(node: Daemon) -> Loot:
    """Read the stolen disk."""
    file = json.loads((node.state / "identity").read_text())
    pin = {name: b64decode(file["pin"][name]) for name in ("group", "signing_key", "agreement_key")}
    status = node.call("status")
    master = MasterId(bytes.fromhex(status.master))
    journal = Journal(node.state / "journal.sqlite")
    membership = journal.membership(master)
    journal.close()
    return Loot(
        GroupId(pin["group"]), master, pin["signing_key"], pin["agreement_key"], AgreementKey(b64decode(file["key"])),
        {epoch: SealKey(secret) for epoch, secret in membership.keys}, membership.keys[0][0],
        (membership.term, membership.boot), file["boot"],
    )  # fmt: skip


@contextmanager
def theft(place: Path) -> Iterator[tuple[Site, Intruder]]:
    """A master, `node1` (that will be stolen), `node2`, and an intruder's host."""
    with Lab(["master", "node1", "node2", "intruder"]) as lab:
        here = Site(lab, place)
        here.start_master()
        here.start_node("node1")
        here.start_node("node2")
        here.wait_enrolled()
        here.broadcast(b"true")
        here.wait_received(1)
        yield here, Intruder(lab, "intruder", place)


def counted(daemon: Daemon, *reasons: str) -> int:
    counters = daemon.call("status").counters
    return sum(counters.get(reason, 0) for reason in reasons)


def test_a_stolen_node_speaks_neither_for_the_master_nor_for_another_node(tmp_path: Path) -> None:
    with theft(tmp_path) as (here, intruder):
        stolen, victim = loot(here.nodes["node1"]), here.nodes["node2"]
        head = Head(stolen.master, *stolen.boots, 1 << 40)
        beacon = Beacon(
            stolen.group, stolen.epoch, stolen.master_signing, stolen.master_agreement, *stolen.boots, 1 << 40,
            True, 12346, (here.lab.address("intruder"),),
        )  # fmt: skip
        marks = Marks((LaneSpan(0, 1, 1),), 2000, 10_000, time.time_ns() // 1000, "default", stolen.epoch + 1, 5000)
        forged = [
            stolen.forged(Kind.MESSAGE, encode_message(Message(head, 0, 2, 2000, 1, b"forged"))),
            stolen.forged(Kind.SOLICIT, encode_solicit(Solicit(head, 0, 9, 2000, 0, b"\xff"))),
            encode_beacon(beacon, marks, stolen.keys[stolen.epoch], THIEF),
        ]
        status = victim.call("status")
        name = NodeId(bytes.fromhex(status.node))
        rekey = single_front(Kind.REKEY, stolen.group, name) + bytes(200)
        intruder.send("node2", 12345, [*forged, rekey])
        eventually(lambda: counted(victim, "bad signature") >= 3, "node2 counts the forgeries")
        eventually(lambda: counted(victim, "unasked key") >= 1, "node2 counts the key that it has not asked for")
        (row,) = (each for each in here.master.call("nodes").rows if each.name == "node2")
        lane = LaneReport(0, stolen.boots[0], 1, 1, NO_CHAIN)
        words = [
            stolen.in_the_name_of(name, boot, kind, content)
            for boot in (1, 99)
            for kind, content in (
                (Kind.REPORT, encode_report(Report(1 << 40, (lane,)))),
                (Kind.REQUEST, encode_request(Request(1 << 40, stolen.boots[0], 0, ((1, 1),)))),
            )
        ]
        intruder.send("master", 12346, words)
        eventually(lambda: counted(here.master, "bad seal") >= len(words), "the master counts what is not node2's")
        (after,) = (each for each in here.master.call("nodes").rows if each.name == "node2")
        assert (after.address, after.node) == (row.address, row.node)
        here.broadcast(b"still true")
        here.wait_received(2)
        assert [line["text"] for line in victim.lines()] == ["true", "still true"]


def test_a_recording_sent_again_after_restarts_changes_nothing(tmp_path: Path) -> None:
    with theft(tmp_path) as (here, intruder):
        victim = here.nodes["node2"]
        ear = intruder.listen(60)
        eventually(lambda: len(intruder.recorded()) > 0, "the thief hears the master")
        here.broadcast(b"recorded")
        here.wait_received(2)
        eventually(
            lambda: {read_front(data).kind for data in intruder.recorded()} >= {Kind.BEACON, Kind.MESSAGE},
            "beacons and messages are recorded",
        )
        recording = intruder.recorded()
        ear.stop()
        victim.kill()
        victim.start()
        here.wait_enrolled()
        here.broadcast(b"after node2's restart")
        here.wait_received(3)
        refused = ("duplicate", "replayed", "old boot")
        before = counted(victim, *refused)
        intruder.send("node2", 12345, recording)
        eventually(lambda: counted(victim, *refused) >= before + len(recording), "each is counted")
        here.master.kill()
        here.master.start()
        here.wait_enrolled()
        here.broadcast(b"after the master's")
        here.wait_received(4)
        before = counted(victim, "duplicate", "old boot")
        intruder.send("node2", 12345, recording)
        eventually(lambda: counted(victim, "duplicate", "old boot") >= before + len(recording), "each is counted again")
        assert here.sequences("node2") == [1, 2, 3, 4]


def test_a_stolen_node_that_asks_without_end_takes_nothing_from_the_others(tmp_path: Path) -> None:
    with theft(tmp_path) as (here, intruder):
        stolen = loot(here.nodes["node1"])
        name, boot = node_id(stolen.own.public), stolen.boot
        for number in range(REQUEST_MESSAGES_MAX):
            here.broadcast(b"%d" % number)
        here.wait_received(REQUEST_MESSAGES_MAX)
        here.nodes["node1"].stop()
        everything = ((1, REQUEST_MESSAGES_MAX),)
        asked = 2 * REQUESTED_PER_SECOND // REQUEST_MESSAGES_MAX
        words = [
            stolen.in_the_name_of(
                name, boot, Kind.REQUEST, encode_request(Request((1 << 40) + number, stolen.boots[0], 0, everything))
            )
            for number in range(asked)
        ]
        intruder.send("master", 12346, words)
        eventually(lambda: counted(here.master, "too many requests") > 0, "what is beyond its share is counted")
        assert counted(here.master, "bad seal", "replayed") == 0
        here.lab.loss(30)
        for number in range(20):
            here.broadcast(b"meanwhile %d" % number)
        wanted = REQUEST_MESSAGES_MAX + 21
        eventually(lambda: here.sequences("node2") == list(range(1, wanted + 1)), "node2 has its repairs")


def test_a_stolen_node_that_fetches_without_end_leaves_half_of_the_rate_to_the_others(tmp_path: Path) -> None:
    with theft(tmp_path) as (here, intruder):
        stolen = loot(here.nodes["node1"])
        name, boot = node_id(stolen.own.public), stolen.boot
        here.nodes["node1"].stop()
        here.lab.loss(40)
        sent = 1
        while here.master_status().rate.mbit_s > 20:  # the slower, the sooner one could take all of it
            sent += 1
            here.broadcast(b"%d" % sent * 10_000)
            here.wait_logged("node2", *range(1, sent + 1))
            time.sleep(MEASURE_AFTER)
        here.lab.loss(0)
        here.broadcast(bytes(MESSAGE_MAX), "old")
        here.wait_logged("node2", *range(1, sent + 2))
        everything = tuple(Lack(block, True, FRAGMENTS_MAX, 2**FRAGMENTS_MAX - 1) for block in range(BLOCKS_MAX))
        words = [
            stolen.in_the_name_of(
                name, boot, Kind.FETCH,
                encode_fetch(Fetch((1 << 40) + number, MessageId(stolen.boots[0], 0, sent + 1), False, everything)),
            )
            for number in range(6000)
        ]  # fmt: skip
        flood = intruder.flood("master", 12346, words, pause=0.01)
        eventually(lambda: counted(here.master, "too many fetches") > 0, "what is beyond its share is counted")
        here.lab.loss(10)
        here.broadcast(bytes([1]) * MESSAGE_MAX, "meanwhile")
        here.wait_logged("node2", *range(1, sent + 3))
        assert flood.poll() is None
        assert counted(here.master, "bad seal", "replayed") == 0
        flood.kill()
        flood.wait()


def test_a_recorded_catch_up_gets_nothing_from_the_master_a_second_time_nor_does_a_stranger(tmp_path: Path) -> None:
    with theft(tmp_path) as (here, intruder):
        stolen = loot(here.nodes["node1"])
        here.nodes["node1"].kill()
        name = node_id(stolen.own.public)
        own = stolen.in_the_name_of(
            name, stolen.boot, Kind.CATCH_UP, encode_catch_up(CatchUp(1 << 40, ((0, stolen.boots[0], 0),)))
        )
        victim = NodeId(bytes.fromhex(here.nodes["node2"].call("status").node))
        others = stolen.in_the_name_of(
            victim, 1, Kind.CATCH_UP, encode_catch_up(CatchUp(1 << 40, ((0, stolen.boots[0], 0),)))
        )
        assert len(intruder.connect("master", 12346, frame(own))) > 0, "a node gets its own backlog"
        assert intruder.connect("master", 12346, frame(own)) == b""
        assert counted(here.master, "replayed") == 1
        assert intruder.connect("master", 12346, frame(others)) == b""
        assert counted(here.master, "bad seal") == 1
        assert intruder.connect("master", 12346, b"GET / HTTP/1.1\r\n\r\n") == b""
        here.broadcast(b"all the same")
        eventually(lambda: here.sequences("node2") == [1, 2], "node2 has it")


def test_what_is_sent_after_a_revocation_does_not_open_with_the_stolen_keys(tmp_path: Path) -> None:
    with theft(tmp_path) as (here, intruder):
        node = here.nodes["node1"]
        stolen = loot(node)
        node.kill()
        here.master.call("node.revoke", NodeRequest("node1"))
        ear = intruder.listen(60)
        eventually(lambda: len(intruder.recorded()) > 0, "the thief hears the master")
        here.broadcast(b"members only")
        eventually(lambda: here.sequences("node2") == [1, 2], "node2 has it")
        eventually(
            lambda: Kind.MESSAGE in {read_front(data).kind for data in intruder.recorded()}, "the message is recorded"
        )
        ear.stop()
        for data in intruder.recorded():
            if read_front(data).kind is not Kind.BEACON:
                with pytest.raises(DecodeError, match="unknown epoch"):
                    open_down(data, stolen.keys)
        name = node_id(stolen.own.public)
        words = stolen.in_the_name_of(name, 9, Kind.REPORT, encode_report(Report(1 << 40, ())))
        intruder.send("master", 12346, [words])
        eventually(lambda: counted(here.master, "revoked node") >= 1, "its word is refused and counted")
        assert here.master_status().nodes.revoked == 1
