"""The broadcast with real processes in real namespaces: all nodes, each once, under loss and kill -9; nobody else."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from netcrier.control.failures import ControlError
from netcrier.control.types.broadcast import ReceiptRow, ReceiptsRequest
from netcrier.control.types.node import FollowRequest, JoinRequest, ReceivedRow
from netcrier.control.types.roster import NodeRequest
from netcrier.control.types.trust import TokenRequest
from netcrier.ids import GroupId, MasterId
from netcrier.noded.journal.journal import Journal
from netcrier.runtime.udp import RECEIVE_BUFFER
from netcrier.wire import signed
from netcrier.wire.envelope import SealKey, Signer
from netcrier.wire.header import seal_down
from netcrier.wire.kinds import MAGIC, VERSION, Kind
from netcrier.wire.message import Message, encode_message
from netcrier.wire.signed import Head
from netcrier.wire.token import decode_token, encode_token
from netcrier_ctl.lab import Lab

from tests.intruder import LISTEN, SEND
from tests.site import Daemon, Site, eventually, numbered, site


def test_a_broadcast_reaches_ten_nodes_and_each_receipt_is_known(tmp_path: Path) -> None:
    with site(tmp_path, *numbered(10)) as here:
        sent = here.broadcast(b"hello, everyone")
        assert sent.expected == 10
        here.wait_received(1)
        rows = here.master.call("receipts", ReceiptsRequest(sent.id)).rows
        assert [row.name for row in rows] == sorted(here.nodes)
        assert {row.state for row in rows} <= {"received", "delivered"}
        for host in here.nodes:
            here.wait_logged(host, 1)
            line = here.nodes[host].lines()[0]
            assert (line["text"], line["n"], line["trust"]) == ("hello, everyone", 1, "first-use")


def test_loss_both_ways_loses_and_repeats_nothing(tmp_path: Path) -> None:
    with site(tmp_path, *numbered(10)) as here:
        here.lab.loss(20)
        for number in range(100):
            here.broadcast(b"message %d" % number)
        here.wait_received(100)
        for host in here.nodes:
            assert here.sequences(host) == list(range(1, 101)), host


def test_kill_9_of_the_master_in_the_middle_loses_and_repeats_nothing(tmp_path: Path) -> None:
    with site(tmp_path, *numbered(3)) as here:
        accepted: list[int] = []

        def send() -> None:
            for number in range(400):
                with contextlib.suppress(ControlError):
                    accepted.append(here.broadcast(b"%d" % number).sequence)

        sender = threading.Thread(target=send)
        sender.start()
        eventually(lambda: len(accepted) > 40, "messages flow")
        here.master.kill()
        here.master.start()
        sender.join()
        assert accepted == sorted(set(accepted)), "a number was given twice"
        newest = here.master_status().last
        assert newest
        total = int(newest.id)
        here.wait_received(total)
        for host in here.nodes:
            assert here.sequences(host) == list(range(1, total + 1)), host
        assert set(accepted) <= set(range(1, total + 1))


def test_kill_9_of_a_node_in_the_middle_loses_and_repeats_nothing(tmp_path: Path) -> None:
    with site(tmp_path, *numbered(3)) as here:
        for round_ in range(4):
            for number in range(25):
                here.broadcast(b"%d %d" % (round_, number))
                if number == 10 + round_:
                    here.nodes["node2"].kill()
            here.nodes["node2"].start()
        here.wait_received(100)
        for host in here.nodes:
            assert here.sequences(host) == list(range(1, 101)), host
            assert [line["n"] for line in here.nodes[host].lines()] == list(range(1, 101))


def test_a_log_that_is_put_aside_while_its_node_is_stopped_is_not_written_again(tmp_path: Path) -> None:
    with site(tmp_path, "node1") as here:
        node = here.nodes["node1"]
        for number in range(5):
            here.wait_delivered(here.broadcast(b"%d" % number).id)
        assert node.stop() == 0
        log = tmp_path / "node1" / "log" / "noded" / "messages.log"
        log.rename(log.with_name("aside"))
        node.start()
        here.wait_delivered(here.broadcast(b"next").id)
        here.wait_logged("node1", 6)


def test_a_repeated_request_sends_nothing_new(tmp_path: Path) -> None:
    with site(tmp_path, *numbered(1)) as here:
        first = here.broadcast(b"once", request="the same")
        second = here.broadcast(b"once", request="the same")
        assert (second.id, second.repeated) == (first.id, True)
        here.wait_received(1)
        assert here.sequences("node1") == [1]


def test_a_node_that_is_away_gets_what_it_missed(tmp_path: Path) -> None:
    with site(tmp_path, *numbered(2)) as here:
        here.lab.partition("node2")
        for number in range(30):
            here.broadcast(b"%d" % number)
        eventually(lambda: here.sequences("node1") == list(range(1, 31)), "node1 has all")
        assert here.sequences("node2") == []
        here.lab.heal("node2")
        here.wait_received(30)
        assert here.sequences("node2") == list(range(1, 31))


def forged(here: Site, host: str) -> str:
    """A message sealed with the true group key and signed by another, as a stolen node could make it (hex)."""
    status = here.master_status()
    master = MasterId(bytes.fromhex(status.master))
    journal = Journal(here.nodes[host].state / "journal.sqlite")
    (epoch, secret), *_ = journal.membership(master).keys
    journal.close()
    group = GroupId(bytes.fromhex(status.group_id))
    message = Message(Head(master, status.term, status.boot, 1 << 40), 0, 1, 2000, time.time_ns() // 1000, b"forged")
    plaintext = signed.signed(Kind.MESSAGE, group, encode_message(message), Signer(secrets.token_bytes(32)))
    return seal_down(Kind.MESSAGE, group, epoch, SealKey(secret), plaintext).hex()


def test_a_forged_message_under_the_true_group_key_is_refused(tmp_path: Path) -> None:
    with site(tmp_path, *numbered(2), idle=["intruder"]) as here:
        target = here.lab.address("node2")
        done = here.lab.run(
            "intruder", [sys.executable, "-c", SEND, target, "12345"], text=forged(here, "node1") + "\n"
        )
        assert done.returncode == 0, done.stderr
        counters = "node2 counts the forgery"
        eventually(lambda: here.nodes["node2"].call("status").counters.get("bad signature") == 1, counters)
        here.broadcast(b"true")
        here.wait_received(1)
        assert [line["text"] for line in here.nodes["node2"].lines()] == ["true"]


def test_garbage_is_counted_and_the_daemons_go_on(tmp_path: Path) -> None:
    with site(tmp_path, *numbered(1), idle=["intruder"]) as here:
        front, group = MAGIC + bytes((VERSION,)), bytes.fromhex(here.master_status().group_id)
        waste = [os.urandom(size) for size in (0, 1, 40, 1232, 1400)]
        waste += [front + bytes((kind,)) + group + os.urandom(60) for kind in range(256)]
        for host, port in (("master", "12346"), ("node1", "12345")):
            text = "".join(item.hex() + "\n" for item in waste)
            done = here.lab.run("intruder", [sys.executable, "-c", SEND, here.lab.address(host), port], text=text)
            assert done.returncode == 0, done.stderr
        here.broadcast(b"still there")
        here.wait_received(1)
        for daemon in (here.master, here.nodes["node1"]):
            counters = daemon.call("status").counters
            assert counters["unknown kind"] >= 200, counters
            assert "Traceback" not in daemon.stderr


def test_an_open_group_says_so_on_both_sides(tmp_path: Path) -> None:
    with site(tmp_path, *numbered(1)) as here:
        assert here.master_status().open
        assert "open" in " ".join(here.master_status().warnings)
        node = here.nodes["node1"].call("status")
        assert (node.open, node.trust) == (True, "first-use")
        assert "open" in " ".join(node.warnings)


def test_a_closed_group_tells_a_stranger_nothing(tmp_path: Path) -> None:
    hosts = ["master", "member", "wrong", "none", "ear"]
    with Lab(hosts) as lab:
        here = Site(lab, tmp_path)
        here.start_master()
        token = here.master.call("token.create", TokenRequest())
        assert token.closed_now
        known = decode_token(token.token)
        here.start_node("member", NETCRIER_TOKEN=token.token)
        here.wait_enrolled()
        wrong = encode_token(replace(known, secret=bytes(32)))
        strangers = {
            "wrong": Site(lab, tmp_path).start_node("wrong", NETCRIER_TOKEN=wrong),
            "none": Site(lab, tmp_path).start_node("none"),
        }
        with (tmp_path / "ear").open("wb") as heard_file:
            ear = lab.spawn("ear", [sys.executable, "-c", LISTEN, "4"], stdout=heard_file)
        eventually(lambda: len((tmp_path / "ear").read_text()) > 0, "the ear hears a beacon")
        secret = b"the safe opens with swordfish"
        here.broadcast(secret)
        here.wait_received(1)
        eventually(lambda: here.master_status().counters.get("bad token", 0) >= 1, "the wrong token is refused")
        ear.wait()
        heard = [bytes.fromhex(line) for line in (tmp_path / "ear").read_text().split()]
        assert len(heard) >= 4
        assert {data[3] for data in heard} <= {Kind.BEACON, Kind.MESSAGE, Kind.SOLICIT}, "a stranger was answered"
        assert not any(secret in data for data in heard)
        for host, stranger in strangers.items():
            status = stranger.call("status")
            assert status.state in ("joining", "waiting"), host
            assert (status.received, stranger.lines()) == (0, [])
        assert here.master_status().nodes.waiting == 1


def test_netctl_token_closes_an_open_group_and_a_token_lets_a_node_back_in(tmp_path: Path) -> None:
    with site(tmp_path, *numbered(2)) as here:
        token = here.master.call("token.create", TokenRequest())
        assert token.closed_now
        eventually(lambda: here.master_status().nodes.waiting == 2, "first-use nodes wait")
        here.nodes["node1"].call("join", JoinRequest(token.token))
        eventually(lambda: here.master_status().nodes.waiting == 1, "node1 is let in")
        sent = here.broadcast(b"members only")
        assert sent.expected == 1
        eventually(lambda: here.sequences("node1") == [1], "node1 reads")
        assert here.sequences("node2") == []
        assert here.nodes["node1"].call("status").trust == "token"


def test_who_follows_receipts_is_not_kept_waiting_for_a_forgotten_node(tmp_path: Path) -> None:
    with site(tmp_path, *numbered(2)) as here:
        here.lab.partition("node2")
        sent = here.broadcast(b"anyone?")
        eventually(lambda: here.sequences("node1") == [1], "node1 has it")
        with here.master.client() as client:
            receipts: Iterator[ReceiptRow] = client.stream("receipts.follow", ReceiptsRequest(sent.id), idle=10)
            assert next(receipts).name == "node1"
            here.master.call("node.forget", NodeRequest("node2"))
            assert list(receipts) == []


@pytest.mark.parametrize("daemon", ["masterd", "noded"])
def test_sigterm_ends_with_status_0_and_takes_the_socket_away(tmp_path: Path, daemon: str) -> None:
    with site(tmp_path, *numbered(1)) as here:
        process = here.master if daemon == "masterd" else here.nodes["node1"]
        assert process.stop() == 0
        assert process.sockets.is_dir()
        assert not (process.sockets / f"{daemon}.sock").exists()


def test_a_local_subscriber_gets_every_message_in_order_however_slowly_it_reads(tmp_path: Path) -> None:
    with site(tmp_path, *numbered(1)) as here:
        node = here.nodes["node1"]
        with node.client() as client:
            stream: Iterator[ReceivedRow] = client.stream("messages.follow", FollowRequest(after=0), idle=10)
            for number in range(300):  # more than the credit of a stream: the daemon waits, the journal does not
                here.broadcast(b"%d" % number)
            here.wait_received(300)
            got = [next(stream) for _ in range(300)]
            assert [(row.n, row.body) for row in got] == [(number + 1, b"%d" % number) for number in range(300)]
            here.broadcast(b"now")
            assert next(stream).body == b"now"
        node.kill()
        node.start()
        with node.client() as client:
            again: Iterator[ReceivedRow] = client.stream("messages.follow", FollowRequest(after=299), idle=10)
            assert [next(again).body for _ in range(2)] == [b"299", b"now"]


def test_what_the_kernel_drops_is_counted_shown_and_made_up_for(tmp_path: Path) -> None:
    with site(tmp_path, *numbered(2), idle=["intruder"]) as here:
        node = here.nodes["node1"]
        assert node.process
        node.process.kill(signal.SIGSTOP)
        try:
            front = b"NC\x01\x02" + bytes.fromhex(here.master_status().group_id)
            waste = (front.ljust(1200).hex() + "\n") * 20_000  # more than its receive buffer of 8 MiB holds
            done = here.lab.run(
                "intruder", [sys.executable, "-c", SEND, here.lab.address("node1"), "12345"], text=waste, timeout=60
            )
            assert done.returncode == 0, done.stderr
            for number in range(20):
                here.broadcast(b"%d" % number)
            eventually(lambda: here.sequences("node2") == list(range(1, 21)), "node2 has all")
        finally:
            node.process.kill(signal.SIGCONT)
        here.wait_received(20)
        assert here.sequences("node1") == list(range(1, 21))
        status = node.call("status")
        assert status.counters["kernel drops"] > 0
        assert any(warning.startswith("the kernel dropped ") for warning in status.warnings)


def _filtered(daemon: Daemon) -> int:
    return int(daemon.call("status").counters["filtered"])


def test_what_is_not_for_the_group_wakes_nobody_and_is_no_loss(tmp_path: Path) -> None:
    with site(tmp_path, *numbered(2), idle=["intruder"]) as here:
        group = bytes.fromhex(here.master_status().group_id)
        of_another = b"NC\x01\x02" + bytes(byte ^ 1 for byte in group)
        beacon_of_another = b"NC\x01\x01" + of_another[4:]
        waste = [bytes(1200)] * 500 + [of_another] * 500 + [beacon_of_another] * 5
        for host, port in (("node1", 12345), ("master", 12346)):
            done = here.lab.run(
                "intruder", [sys.executable, "-c", SEND, here.lab.address(host), str(port)],
                text="".join(f"{data.hex()}\n" for data in waste), timeout=60,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
        here.broadcast(b"after it")
        here.wait_received(1)
        found = (here.nodes["node1"], here.master)
        eventually(lambda: [_filtered(one) for one in found] == [1000, 1000], "the kernel has told what it dropped")
        for status in (one.call("status") for one in found):
            assert status.counters["kernel drops"] == 0
            assert not [text for text in status.warnings if "kernel" in text]
            assert not {"bad magic", "too long"} & set(status.counters)
            assert sum(status.counters.get(reason, 0) for reason in ("truncated", "other group")) == 5


class Weak(Daemon):
    """A daemon that may not force its receive buffer beyond the system's limit."""

    def _before(self) -> list[str]:
        return ["setpriv", "--inh-caps", "-net_admin", "--bounding-set", "-net_admin"]


def test_a_receive_buffer_that_stays_small_is_a_warning_that_names_the_sysctl(tmp_path: Path) -> None:
    small = int(Path("/proc/sys/net/core/rmem_max").read_text()) < RECEIVE_BUFFER
    with Lab(["master", "node1"]) as lab:
        here = Site(lab, tmp_path)
        here.master = Weak(lab, "master", "masterd", tmp_path / "master", {})
        here.nodes["node1"] = Weak(lab, "node1", "noded", tmp_path / "node1", {})
        here.wait_enrolled()
        for daemon in (here.master, here.nodes["node1"]):
            said = [text for text in daemon.call("status").warnings if text.startswith("receive buffer")]
            assert [text.endswith(f" bytes: sysctl -w net.core.rmem_max={RECEIVE_BUFFER}") for text in said] == [
                True
            ] * small
        here.broadcast(b"it works all the same")
        here.wait_received(1)
