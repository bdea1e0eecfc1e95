"""Who is in and who is out, with real processes: rotation, revocation, tokens, enrolment; across restarts."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from netcrier.control.failures import NotFound
from netcrier.control.types.broadcast import ReceiptsRequest
from netcrier.control.types.node import JoinRequest
from netcrier.control.types.roster import NodeRequest, NodeRow
from netcrier.control.types.trust import GroupKeyStatus, Revoked, Token, TokenNameRequest, TokenRequest
from netcrier_ctl.lab import Lab

from tests.site import Daemon, Site, eventually


@contextlib.contextmanager
def site(place: Path, hosts: list[str], running: int, **environ: str) -> Iterator[Site]:
    """A master and, on the first `running` hosts, enrolled nodes."""
    with Lab(["master", *hosts]) as lab:
        here = Site(lab, place)
        here.start_master(None, **environ)
        for host in hosts[:running]:
            here.start_node(host)
        here.wait_enrolled()
        yield here


def has(here: Site, host: str, sequence: int) -> bool:
    return here.sequences(host)[-1:] == [sequence]


def keys(here: Site) -> GroupKeyStatus:
    status = here.master.call("keys")
    assert isinstance(status, GroupKeyStatus)
    return status


def token(here: Site, ttl: float | None = None, once: bool = False) -> str:
    made = here.master.call("token.create", TokenRequest(ttl=ttl, once=once))
    assert isinstance(made, Token)
    return made.token


def row(here: Site, name: str) -> NodeRow:
    (found,) = (each for each in here.master.call("nodes").rows if each.name == name)
    assert isinstance(found, NodeRow)
    return found


def refused(here: Site, reason: str) -> int:
    return here.master_status().counters.get(reason, 0)


def test_a_rotation_reaches_who_is_here_at_once_and_who_is_away_on_its_return(tmp_path: Path) -> None:
    with site(tmp_path, ["node1", "node2"], 2) as here:
        here.broadcast(b"both are in")
        here.wait_received(1)
        here.nodes["node2"].kill()
        announced = here.master.call("keys.rotate")
        assert (announced.epoch, announced.next_epoch) == (1, 2)
        assert 0 < announced.next_in_s <= 10
        eventually(lambda: keys(here).epoch == 2, "the announced key holds")
        here.broadcast(b"under the new key")
        eventually(lambda: here.sequences("node1") == [1, 2], "node1 has it")
        eventually(lambda: [node.name for node in keys(here).lacking] == ["node2"], "only node2 lacks the key")
        hellos = here.nodes["node1"].stderr.count("joined group")
        here.nodes["node2"].start()
        here.wait_received(2)
        eventually(lambda: keys(here).holding == 2, "node2 has the key")
        assert here.nodes["node1"].stderr.count("joined group") == hellos == 1
        assert here.nodes["node2"].stderr.count("joined group") == 1, "the key came without another hello"
        here.master.kill()
        here.master.start()
        assert keys(here).epoch == 2
        here.broadcast(b"after a restart")
        here.wait_received(3)


def test_a_revoked_node_reads_nothing_more_and_can_come_back(tmp_path: Path) -> None:
    with site(tmp_path, ["node1", "node2"], 2) as here:
        here.broadcast(b"for both")
        here.wait_received(1)
        here.lab.partition("node2")
        waits = here.broadcast(b"node2 is away")
        revoked = here.master.call("node.revoke", NodeRequest("node2"))
        assert revoked == Revoked(epoch=2, closed_now=True)
        assert here.master_status().open is False
        receipts = here.master.call("receipts", ReceiptsRequest(waits.id))
        assert {each.name: each.state for each in receipts.rows}["node2"] == "revoked"
        assert receipts.expected == 1
        here.lab.heal("node2")
        secret = here.broadcast(b"members only")
        assert secret.expected == 1
        eventually(lambda: here.sequences("node1") == [1, 2, 3], "node1 has all")
        eventually(lambda: refused(here, "revoked node") >= 1, "what node2 says is refused and counted", 60)
        eventually(
            lambda: any("revoked" in warning for warning in here.nodes["node2"].call("status").warnings),
            "node2 says that it gets no key", 60,
        )  # fmt: skip
        status = here.master_status()
        assert (status.nodes.known, status.nodes.revoked, row(here, "node2").state) == (1, 1, "revoked")
        here.master.kill()
        here.master.start()
        here.nodes["node2"].kill()
        here.nodes["node2"].start()
        here.broadcast(b"after the restart of both")
        eventually(lambda: here.sequences("node1") == [1, 2, 3, 4], "node1 has all")
        eventually(lambda: refused(here, "revoked node") >= 1, "it is still refused", 60)
        assert here.sequences("node2") == [1]
        here.master.call("node.approve", NodeRequest("node2"))
        eventually(lambda: here.sequences("node2") == [1, 2, 3, 4], "it is in again and has what it missed", 60)
        assert row(here, "node2").trust == "approved"


def test_a_token_for_one_node_is_for_one_node(tmp_path: Path) -> None:
    with Lab(["master", "first", "second"]) as lab:
        here = Site(lab, tmp_path)
        here.start_master()
        text = token(here, once=True)
        first = here.start_node("first", NETCRIER_TOKEN=text)
        here.wait_enrolled()
        second = here.start_node("second", NETCRIER_TOKEN=text)
        eventually(lambda: refused(here, "token used up") >= 1, "the second is refused")
        assert second.call("status").state == "joining"
        (shown,) = here.master.call("token.list").rows
        assert (shown.state, shown.used_by, shown.once) == ("used", "first", True)
        first.kill()
        (first.state / "journal.sqlite").unlink()  # the same key repeats its token
        first.start()
        eventually(lambda: first.call("status").state == "enrolled", "the first comes back")
        assert len(here.master.call("nodes").rows) == 1


def test_a_token_ends_by_time_or_by_word_and_who_has_joined_stays(tmp_path: Path) -> None:
    with Lab(["master", "member", "late", "later"]) as lab:
        here = Site(lab, tmp_path)
        here.start_master()
        short, long = token(here, ttl=1), token(here, ttl=3600)
        here.start_node("member", NETCRIER_TOKEN=long)
        here.wait_enrolled()
        time.sleep(1.1)  # the token's time
        here.start_node("late", NETCRIER_TOKEN=short)
        eventually(lambda: refused(here, "token expired") >= 1, "an expired token is refused")
        rows = here.master.call("token.list").rows
        assert [each.state for each in rows] == ["usable", "expired"]
        here.master.call("token.revoke", TokenNameRequest(rows[0].id[:6]))
        here.start_node("later", NETCRIER_TOKEN=long)
        eventually(lambda: refused(here, "bad token") >= 1, "a void token is refused")
        with pytest.raises(NotFound):
            here.master.call("token.revoke", TokenNameRequest(rows[0].id))
        here.master.stop()
        here.master.start()
        assert [each.state for each in here.master.call("token.list").rows] == ["expired"]
        here.broadcast(b"x")
        eventually(lambda: here.sequences("member") == [1], "who has joined stays")


def test_revoking_a_node_voids_the_token_that_others_could_use(tmp_path: Path) -> None:
    with Lab(["master", "stolen", "fresh"]) as lab:
        here = Site(lab, tmp_path)
        here.start_master()
        text = token(here)
        here.start_node("stolen", NETCRIER_TOKEN=text)
        here.wait_enrolled()
        revoked = here.master.call("node.revoke", NodeRequest("stolen"))
        assert revoked.void_token
        assert here.master.call("token.list").rows == []
        here.start_node("fresh", NETCRIER_TOKEN=text)  # the thief with a new key
        eventually(lambda: refused(here, "bad token") >= 1, "the token is worth nothing")
        assert here.master_status().nodes.known == 0


def test_a_token_overrides_the_master_that_was_heard_first(tmp_path: Path) -> None:
    with Lab(["rogue", "master", "node1"]) as lab:
        rogue = Daemon(lab, "rogue", "masterd", tmp_path / "rogue", {})
        here = Site(lab, tmp_path)
        node = here.start_node("node1")
        eventually(lambda: node.call("status").state == "enrolled", "the node trusts the first master that it hears")
        assert node.call("status").master == rogue.call("status").master
        master = here.start_master()
        joined = node.call("join", JoinRequest(token(here)))
        assert joined.changed
        here.wait_enrolled()
        status = node.call("status")
        assert (status.master, status.trust) == (master.call("status").master, "token")
        here.broadcast(b"from the true one")
        here.wait_received(1)
        assert node.lines()[0]["trust"] == "token"
        eventually(lambda: node.call("status").counters.get("other group", 0) >= 1, "the rogue is refused and counted")
        node.kill()
        node.start()
        here.wait_enrolled()


@pytest.mark.parametrize(("enrolment", "waiting", "counted"), [("approve", 1, ""), ("token", 0, "no token")])
def test_a_group_can_be_closed_from_the_start(tmp_path: Path, enrolment: str, waiting: int, counted: str) -> None:
    with Lab(["master", "none", "member"]) as lab:
        here = Site(lab, tmp_path)
        master = here.start_master(NETCRIER_ENROLMENT=enrolment)
        here.start_node("member", NETCRIER_TOKEN=token(here))
        here.wait_enrolled()
        stranger = Site(lab, tmp_path).start_node("none")
        if counted:
            eventually(lambda: refused(here, counted) >= 1, "the stranger is refused")
        eventually(lambda: here.master_status().nodes.waiting == waiting, "as many wait as may")
        status = here.master_status()
        assert (status.open, status.enrolment) == (False, enrolment)
        assert stranger.call("status").open is False
        assert here.nodes["member"].call("status").open is False
        here.broadcast(b"closed")
        here.wait_received(1)
        assert stranger.lines() == []
        assert not any("open" in warning for warning in master.call("status").warnings)
        if waiting:
            here.master.call("node.approve", NodeRequest("none"))
            eventually(lambda: stranger.call("status").state == "enrolled", "it is let in")


def test_a_copied_identity_is_told_and_its_receipts_are_nobodys(tmp_path: Path) -> None:
    with Lab(["master", "node1", "node2", "node3"]) as lab:
        here = Site(lab, tmp_path)
        here.start_master()
        here.start_node("node1", NETCRIER_IDENTITY="keep")
        here.start_node("node3")
        here.wait_enrolled()
        first = here.broadcast(b"to the only one")
        here.wait_received(1)
        here.nodes["node1"].stop()
        shutil.copytree(here.nodes["node1"].state, tmp_path / "node2" / "state" / "noded")
        here.nodes["node1"].start()
        here.start_node("node2", NETCRIER_IDENTITY="keep", NETCRIER_NAME="node1")
        for _ in range(2):  # of two that rise together the second is the higher
            here.nodes["node2"].stop()
            here.nodes["node2"].start()
        eventually(lambda: here.master_status().nodes.duplicate == 1, "two machines use one identity")
        sent = here.broadcast(b"to which of them?")
        for host in ("node2", "node3"):
            eventually(partial(has, here, host, sent.sequence), f"{host} has it")
        done = lab.run(
            "master", [sys.executable, "-m", "netcrier_ctl.cli", "broadcast", "again", "--timeout", "10s"],
            env=here.master.environ, timeout=60,
        )  # fmt: skip
        assert done.returncode == 5, (done.stdout, done.stderr)
        assert "1 of 2 received" in done.stdout
        assert "node1 (two machines use its identity: which of them has it is not known)" in done.stdout
        rows = {row.name: row.state for row in here.master.call("receipts", ReceiptsRequest(sent.id)).rows}
        assert rows == {"node1": "duplicate", "node3": "delivered"}
        assert {row.state for row in here.master.call("receipts", ReceiptsRequest(first.id)).rows} == {"delivered"}
        nodes = lab.run(
            "master", [sys.executable, "-m", "netcrier_ctl.cli", "nodes"], env=here.master.environ, timeout=60
        )
        assert "two machines use this identity" in nodes.stdout
