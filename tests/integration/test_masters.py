"""More than one master, with real processes: one of an identity speaks; a lost store comes back under a new term."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from netcrier.control.failures import ControlError
from netcrier.control.types.broadcast import BroadcastRequest, ReceiptsRequest
from netcrier.control.types.master import MasterStatus
from netcrier.control.types.roster import NodeRequest
from netcrier.control.types.trust import TokenRequest
from netcrier.wire.handled import Code
from netcrier_ctl.lab import Lab

from tests.handlers import handler
from tests.links import only_ipv6
from tests.site import Daemon, Site, eventually

HOSTS = ("master", "spare", "node1", "node2")


class Pair(Site):
    """A site with a second host for its master."""

    def copy(self, **environ: str) -> Daemon:
        """masterd on the host `spare`, from a copy of the first one's state as it is now."""
        target = self.place / "spare" / "state" / "masterd"
        if not target.exists():
            shutil.copytree(self.master.state, target)
        return Daemon(self.lab, "spare", "masterd", self.place / "spare", environ)

    def netctl(self, daemon: Daemon, *words: str) -> subprocess.CompletedProcess[str]:
        """netctl on the daemon's host."""
        return self.lab.run(
            daemon.host, [sys.executable, "-m", "netcrier_ctl.cli", *words], env=daemon.environ, timeout=60
        )


def started(lab: Lab, place: Path) -> Pair:
    """A master with two nodes, and three messages that they have."""
    here = Pair(lab, place)
    here.start("node1", "node2")
    say(here, here.master, "one", "two", "three")
    return here


def say(here: Site, master: Daemon, *bodies: str) -> None:
    """Messages from this master that every node gets."""
    for body in bodies:
        sent = master.call("broadcast", BroadcastRequest(body=body.encode(), request=f"{master.host} {body}"))
        eventually(partial(all_have, here, body), f"every node logs {body} as {sent.id}")


def all_have(here: Site, body: str) -> bool:
    return all(body in texts(here, host) for host in here.nodes)


def status(master: Daemon) -> MasterStatus:
    found = master.call("status")
    assert isinstance(found, MasterStatus)
    return found


def stands(master: Daemon, standing: str) -> None:
    """Until the master is this."""
    eventually(lambda: status(master).standing == standing, f"{master.host} is {standing}")


def texts(here: Site, host: str) -> list[Any]:
    """What the node has logged, in its order."""
    return [line.get("text") for line in here.nodes[host].lines()]


def test_a_second_master_of_the_same_identity_is_silent_until_it_takes_over(tmp_path: Path) -> None:
    with Lab(HOSTS) as lab:
        here = started(lab, tmp_path)
        spare = here.copy()
        stands(spare, "standby")
        assert "the one at 10.77.0.1 speaks (term 1, boot 1)" in status(spare).standing_reason
        with pytest.raises(ControlError, match=r"this master does not speak: the one at 10\.77\.0\.1 speaks"):
            spare.call("broadcast", BroadcastRequest(body=b"no", request="no"))
        assert status(here.master).standing == "speaking"
        say(here, here.master, "four")

        done = here.netctl(spare, "master", "take-over")
        assert (done.returncode, done.stdout) == (
            0, "this master speaks now, in term 2; nodes follow within a second\n",
        ), done.stderr  # fmt: skip
        stands(here.master, "superseded")
        assert "10.77.0.2 speaks (term 2, boot 3) and has replaced it" in status(here.master).standing_reason
        refused = here.netctl(here.master, "broadcast", "no")
        assert refused.returncode == 2
        assert "this master does not speak" in refused.stderr
        unknown = "unknown to this store: nodes had messages up to #4"
        eventually(lambda: unknown in " ".join(status(spare).warnings), unknown)
        say(here, spare, "five", "six")
        for host in here.nodes:
            assert texts(here, host) == ["one", "two", "three", "four", "five", "six"]
            assert [(line["term"], line["seq"]) for line in here.nodes[host].lines()][-2:] == [(2, 1), (2, 2)]

        here.master.stop()
        here.master.start()
        stands(here.master, "standby")
        eventually(lambda: status(spare).nodes.here == 2, "both nodes report to the new master")


def test_a_second_master_is_heard_on_a_link_of_ipv6_alone(tmp_path: Path) -> None:
    with Lab(["master", "spare", "node1"]) as lab:
        only_ipv6(lab, ["master", "spare", "node1"])
        here = Pair(lab, tmp_path)
        here.start_master()
        here.start_node("node1")
        here.wait_enrolled()
        spare = here.copy()
        stands(spare, "standby")
        assert "the one at fe80::1 speaks" in status(spare).standing_reason
        spare.call("master.takeover")
        stands(here.master, "superseded")
        eventually(lambda: _speaks(spare, 2), "it speaks in term 2")
        say(here, spare, "by the second")


def test_a_stale_copy_takes_over_from_a_master_that_is_gone_and_reuses_no_number(tmp_path: Path) -> None:
    with Lab(HOSTS) as lab:
        here = started(lab, tmp_path)
        shutil.copytree(here.master.state, tmp_path / "spare" / "state" / "masterd")
        here.start_node("spare")  # a node that the copy does not know; the host gets its master later
        late = here.nodes.pop("spare")
        eventually(lambda: status(here.master).nodes.here == 3, "the late node has joined")
        say(here, here.master, "four", "five")
        here.master.kill()
        spare = here.copy()
        stands(spare, "standby")
        assert "nodes have messages that this store does not have" in status(spare).standing_reason
        spare.call("master.takeover")
        eventually(lambda: _speaks(spare, 2), "it speaks in term 2")
        say(here, spare, "six")
        for host in here.nodes:
            assert texts(here, host) == ["one", "two", "three", "four", "five", "six"]
        eventually(lambda: [line["text"] for line in late.lines()][-1:] == ["six"], "the late node follows")
        eventually(lambda: status(spare).nodes.known == 3, "and is known to the new master")


def _speaks(master: Daemon, term: int) -> bool:
    try:
        return (status(master).term, status(master).standing) == (term, "speaking")
    except ControlError:
        return False  # it begins anew


def broken(here: Pair) -> str:
    """masterd's words as it refuses the store."""
    done = here.lab.run("master", [sys.executable, "-m", "netcrier.masterd"], env=here.master.environ, timeout=60)
    assert done.returncode == 78, (done.returncode, done.stderr)
    return done.stderr


@pytest.mark.parametrize("damage", ["truncated", "lost"])
def test_a_broken_store_is_told_and_replaced_on_command_alone(tmp_path: Path, damage: str) -> None:
    with Lab(HOSTS) as lab:
        here = started(lab, tmp_path)
        token = here.master.call("token.create", TokenRequest())
        for host in here.nodes:
            here.master.call("node.approve", NodeRequest(host))
        eventually(lambda: status(here.master).nodes.here == 2, "both are members of the closed group")
        say(here, here.master, "four")
        assert here.master.stop() == 0
        store = here.master.state / "store.sqlite"
        identity = (here.master.state / "identity").read_bytes()
        whole = store.read_bytes()
        if damage == "lost":
            store.unlink()
        else:
            store.write_bytes(whole[: len(whole) // 2])
        left = store.read_bytes() if store.exists() else None
        assert "netctl master recover" in broken(here)

        done = here.netctl(here.master, "master", "recover")
        assert done.returncode == 0, done.stderr
        aside = list(here.master.state.glob("store.sqlite.broken-*Z"))
        if damage == "lost":
            assert aside == []
        else:
            assert [path.read_bytes() for path in aside] == [left]
            assert aside[0].name in done.stdout
        assert (here.master.state / "identity").read_bytes() == identity

        here.master.start()
        eventually(lambda: _speaks(here.master, 2), "it speaks above the term that the nodes have heard")
        assert "unknown to this store: nodes had messages up to #4" in " ".join(status(here.master).warnings)
        if not status(here.master).nodes.known:
            eventually(lambda: status(here.master).nodes.waiting == 2, "the nodes wait for approval")
            for host in here.nodes:
                here.master.call("node.approve", NodeRequest(host))
        eventually(lambda: status(here.master).nodes.here == 2, "the nodes take part again")
        say(here, here.master, "five")
        for host in here.nodes:
            assert texts(here, host) == ["one", "two", "three", "four", "five"]
        assert token.closed_now
        assert not status(here.master).open

        again = here.netctl(here.master, "master", "recover")
        assert (again.returncode, "masterd runs, so its store is sound" in again.stderr) == (1, True)


def test_masters_of_two_groups_on_one_network_let_each_other_be(tmp_path: Path) -> None:
    with Lab(["master", "other", "node1", "node2"]) as lab:
        here, there = Site(lab, tmp_path / "here"), Site(lab, tmp_path / "there")
        here.start_master()
        here.start_node("node1")
        here.wait_enrolled()
        there.master = Daemon(lab, "other", "masterd", tmp_path / "there" / "master", {})
        token = there.master.call("token.create", TokenRequest()).token
        there.start_node("node2", NETCRIER_TOKEN=token)
        there.wait_enrolled()
        for site, body in ((here, b"mine"), (there, b"yours")):
            site.broadcast(body)
            site.wait_received(1)
        assert texts(here, "node1") == ["mine"]
        assert texts(there, "node2") == ["yours"]
        sites = (here, there)
        eventually(lambda: [site.master_status().neighbours for site in sites] == [1, 1], "each counts the other")
        assert [site.master_status().standing for site in sites] == ["speaking"] * 2
        assert here.nodes["node1"].call("status").counters["other group"] >= 1


def test_two_daemons_cannot_share_one_store(tmp_path: Path) -> None:
    with Lab(HOSTS) as lab:
        here = Pair(lab, tmp_path)
        here.start_master()
        done = lab.run("spare", [sys.executable, "-m", "netcrier.masterd"], env=here.master.environ, timeout=60)
        assert done.returncode == 78
        assert "is used by another masterd" in done.stderr


def test_a_restart_in_place_speaks_at_once(tmp_path: Path) -> None:
    with Lab(["master", "node1"]) as lab:
        here = Site(lab, tmp_path)
        here.start_master()
        here.start_node("node1")
        here.wait_enrolled()
        for end in (here.master.kill, here.master.stop):
            end()
            here.master.start()
            assert here.master_status().standing == "speaking"
        here.broadcast(b"at once")
        here.wait_received(1)


def test_a_node_that_was_away_gets_the_old_term_from_the_new_master_and_who_has_it_is_known(tmp_path: Path) -> None:
    with Lab(HOSTS) as lab:
        here = started(lab, tmp_path)
        here.nodes["node2"].stop()
        big = b"big " * 5000
        missed = [here.broadcast(body, f"missed {place}") for place, body in enumerate((b"four", big, b"six"))]
        lost = here.broadcast(b"expires", "lost", ttl=0.5)
        eventually(lambda: here.sequences("node1")[-1:] == [lost.sequence], "node1 has them")
        here.master.stop()
        spare = here.copy()
        spare.call("master.takeover")
        eventually(lambda: _speaks(spare, 2), "it speaks in term 2")
        sent = spare.call("broadcast", BroadcastRequest(body=b"new term", request="new term"))
        eventually(lambda: texts(here, "node1")[-1:] == ["new term"], "node1 goes on in the new term")
        here.nodes["node2"].start()
        eventually(lambda: "new term" in [line.get("text") for line in here.nodes["node2"].lines()], "node2 too")
        lines = here.nodes["node2"].lines()
        events = [(line["event"], line["term"], line["seq"], line["n"]) for line in lines]
        assert events == [
            *(("message", 1, number, number) for number in range(1, 7)), ("missed", 1, 7, 7), ("message", 2, 1, 8),
        ]  # fmt: skip
        assert [line["size"] for line in lines[3:6]] == [4, len(big), 3]

        def states(message: str) -> dict[str, str]:
            return {row.name: row.state for row in spare.call("receipts", ReceiptsRequest(message)).rows}

        wanted = {"node1": "delivered", "node2": "delivered"}
        eventually(lambda: all(states(one.id) == wanted for one in (*missed, sent)), "all but what expired is known")
        eventually(lambda: states(lost.id) == {"node1": "delivered", "node2": "missed"}, "and what expired")


def test_what_handlers_of_the_old_term_return_after_the_take_over_is_told_to_the_new_master(tmp_path: Path) -> None:
    with Lab(HOSTS) as lab:
        here = Pair(lab, tmp_path)
        here.start("node1", "node2", NETCRIER_HANDLERS_FIRST_USE="true")
        for host, node in here.nodes.items():
            script = f"touch {tmp_path / host}.begun; until [ -e {tmp_path / host}.open ]; do sleep 0.02; done; exit 3"
            handler(node.place / "config" / "handlers.d", script, "message")
        first, second = (here.broadcast(body, body.decode()) for body in (b"one", b"two"))
        for host in here.nodes:
            here.wait_logged(host, 1, 2)
            eventually((tmp_path / f"{host}.begun").exists, "its handler has begun")
        here.master.stop()
        spare = here.copy()
        spare.call("master.takeover")
        eventually(lambda: _speaks(spare, 2), "it speaks in term 2")
        say(here, spare, "new term")
        here.nodes["node2"].kill()
        for host in here.nodes:
            (tmp_path / f"{host}.open").touch()
        here.nodes["node2"].start()

        def results(message: str) -> dict[str, tuple[str, int]]:
            rows = spare.call("receipts", ReceiptsRequest(message)).rows
            return {row.name: (row.state, row.code) for row in rows}

        wanted = {"node1": ("handled", 3), "node2": ("handled", Code.UNCERTAIN)}
        eventually(lambda: results(first.id) == wanted, "how the first's handlers ended is known")
        wanted["node2"] = ("handled", 3)
        eventually(lambda: results(second.id) == wanted, "and the second's")
        eventually(lambda: results("2/1") == wanted, "and those of the new term")


def test_what_the_copy_lacks_is_a_gap_to_a_node_that_lacks_it_too(tmp_path: Path) -> None:
    with Lab(HOSTS) as lab:
        here = started(lab, tmp_path)
        shutil.copytree(here.master.state, tmp_path / "spare" / "state" / "masterd")
        here.nodes["node2"].stop()
        for number in range(4, 7):
            here.broadcast(b"%d" % number, f"lost {number}")
        eventually(lambda: here.sequences("node1") == [1, 2, 3, 4, 5, 6], "node1 has them")
        here.master.kill()
        spare = here.copy()
        stands(spare, "standby")
        spare.call("master.takeover")
        eventually(lambda: _speaks(spare, 2), "it speaks in term 2")
        here.nodes["node2"].start()
        say(here, spare, "new term")
        lines = here.nodes["node2"].lines()
        assert [(line["event"], line["term"], line["seq"]) for line in lines[2:]] == [
            ("message", 1, 3), ("gap", 1, 4), ("message", 2, 1),
        ]  # fmt: skip
        assert (lines[3]["last"], lines[3]["count"]) == (6, 3)
        assert texts(here, "node1") == ["one", "two", "three", "4", "5", "6", "new term"]
        assert "unknown to this store: nodes had messages up to #6" in " ".join(status(spare).warnings)


def test_a_backup_that_is_laid_over_the_store_does_not_give_its_numbers_again(tmp_path: Path) -> None:
    with Lab(HOSTS) as lab:
        here = started(lab, tmp_path)
        assert here.master.stop() == 0
        backup = {path: path.read_bytes() for path in here.master.state.iterdir()}
        here.master.start()
        eventually(lambda: status(here.master).standing == "speaking", "a restart speaks at once", 2.0)
        say(here, here.master, "four", "five")
        assert here.master.stop() == 0
        for path, content in backup.items():
            path.write_bytes(content)  # the same files: cp over them
        here.master.start()
        stands(here.master, "standby")
        assert "nodes have messages that this store does not have" in status(here.master).standing_reason
        here.master.call("master.takeover")
        eventually(lambda: _speaks(here.master, 2), "it speaks in term 2")
        say(here, here.master, "six")
        for host in here.nodes:
            assert texts(here, host) == ["one", "two", "three", "four", "five", "six"]
