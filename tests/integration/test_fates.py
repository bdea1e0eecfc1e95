"""What becomes of a message at each node, with real processes: targets, age, retention, a kill at any durable step."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from netcrier.control.failures import ControlError, NotFound
from netcrier.control.types.broadcast import BroadcastRequest, ReceiptsRequest
from netcrier.control.types.life import NodeLife
from netcrier.control.types.node import ReceivedMessagesRequest
from netcrier.control.types.roster import NodeRequest, NodesRequest
from netcrier.runtime.faults import POINTS, VARIABLE
from netcrier.wire.kinds import Kind
from netcrier_ctl.lab import Lab

from tests.links import deafen, undeafen
from tests.site import Site, eventually


@contextmanager
def tagged(place: Path, **masterd: str) -> Iterator[Site]:
    """node1 is role=web, node2 role=db."""
    with Lab(["master", "node1", "node2"]) as lab:
        here = Site(lab, place)
        here.start_master(None, **masterd)
        for host, role in (("node1", "web"), ("node2", "db")):
            config = place / host / "config"
            config.mkdir(parents=True)
            (config / "noded.toml").write_text(f'tags = {{ role = "{role}" }}\n')
            here.start_node(host)
        here.wait_enrolled()
        yield here


def life(here: Site, name: str) -> NodeLife:
    found = here.master.call("node.explain", NodeRequest(name))
    assert isinstance(found, NodeLife)
    return found


def send(here: Site, body: bytes, to: str = "", ttl: float | None = None, lane: int = 0) -> str:
    request = BroadcastRequest(body=body, request=body.hex(), to=to, ttl=ttl, lane=lane)
    return str(here.master.call("broadcast", request).id)


def test_a_target_an_age_limit_and_an_absence_end_as_they_should(tmp_path: Path) -> None:
    with tagged(tmp_path) as here:
        web = send(here, b"web only", to="role=web")
        every = send(here, b"everyone")
        eventually(lambda: here.states(web) == {"node1": "delivered"}, "node1 alone has it")
        eventually(lambda: set(here.states(every).values()) == {"delivered"}, "both have it")
        assert [line["text"] for line in here.nodes["node2"].lines()] == ["everyone"]
        with pytest.raises(NotFound):
            send(here, b"nobody", to="role=cache")
        assert [row.name for row in here.master.call("nodes", NodesRequest(to="role=~w.b")).rows] == ["node1"]
        here.nodes["node2"].stop()
        short = send(here, b"soon stale", ttl=1)
        after = send(here, b"after")
        eventually(lambda: here.states(short) == {"node1": "delivered", "node2": "expired"}, "it expires")
        here.nodes["node2"].start()
        eventually(lambda: here.states(short)["node2"] == "missed", "node2 has said that it missed it")
        eventually(lambda: here.states(after)["node2"] == "delivered", "node2 goes on")
        lines = here.nodes["node2"].lines()
        assert [(line["event"], line["n"]) for line in lines] == [("message", 1), ("missed", 2), ("message", 3)]
        rows = here.nodes["node2"].call("messages").rows
        assert [(row.event, row.count) for row in rows] == [("message", 1), ("missed", 1), ("message", 1)]


def test_a_nodes_life_is_told_while_it_is_here_and_while_it_is_away(tmp_path: Path) -> None:
    with tagged(tmp_path) as here:
        send(here, b"one")
        send(here, b"urgent", lane=1)
        eventually(lambda: all(lane.delivered == 1 for lane in life(here, "node1").lanes), "its reports say so")
        eventually(lambda: life(here, "node1").epoch == 1, "it has answered a beacon")
        told = life(here, "node1")
        assert [(lane.lane, lane.sent, lane.received) for lane in told.lanes] == [(0, 1, 1), (1, 1, 1)]
        assert (told.row.state, told.row.tags, told.lacking, told.epoch) == ("here", {"role": "web"}, [], 1)
        assert told.joined
        assert told.joined <= time.time()
        here.nodes["node1"].stop()
        missed = [send(here, b"%d" % number) for number in range(12)]
        told = life(here, "node1")
        assert (told.lacking, told.lacking_count) == (missed[:10], 12)
        done = here.lab.run(
            "master",
            [sys.executable, "-m", "netcrier_ctl.cli", "explain", "node1"],
            env=here.master.environ,
            timeout=60,
        )
        assert "has all up to #1 of 13" in done.stdout
        assert f"lacks     #{missed[0]}, " in done.stdout


def test_what_the_master_drops_is_a_gap_to_who_was_away(tmp_path: Path) -> None:
    with tagged(tmp_path, NETCRIER_KEEP_MESSAGES="100") as here:
        here.nodes["node2"].stop()
        sent = [send(here, b"%d" % number) for number in range(220)]
        eventually(lambda: here.states(sent[50]).get("node2") == "gap", "the master says gap")
        here.nodes["node2"].start()
        eventually(lambda: here.states(sent[-1])["node2"] == "delivered", "node2 goes on behind the gap")
        first, *rest = here.nodes["node2"].lines()
        assert (first["event"], first["seq"]) == ("gap", 1)
        assert [line["seq"] for line in rest] == list(range(first["last"] + 1, 221))
        (row,) = here.master.call("nodes", NodesRequest(to="name=node2")).rows
        assert row.gaps == first["count"]
        listed = here.nodes["node2"].call("messages", ReceivedMessagesRequest(after=0)).rows[0]
        assert (listed.event, listed.count) == ("gap", first["count"])


@pytest.mark.parametrize("bound", ["BYTES", "SECONDS"])
def test_what_is_too_old_or_too_much_is_a_gap_to_who_was_away(tmp_path: Path, bound: str) -> None:
    limits = {"NETCRIER_KEEP_MESSAGES": "100", f"NETCRIER_KEEP_{bound}": {"BYTES": "20000", "SECONDS": "2"}[bound]}
    with tagged(tmp_path, **limits) as here:
        here.nodes["node2"].stop()
        sent: list[str] = []

        def dropped() -> bool:
            for _ in range(10):  # a tenth of what is kept: then the master looks what is beyond the bounds
                sent.append(send(here, b"%d " % len(sent) + b"x" * 1000))
            return here.states(sent[0])["node2"] == "gap"

        eventually(dropped, "the first is dropped")
        assert len(sent) < 100 or bound == "SECONDS", "their number is not why"
        here.nodes["node2"].start()
        eventually(lambda: here.states(sent[-1])["node2"] == "delivered", "node2 goes on behind the gap")
        first, *rest = here.nodes["node2"].lines()
        assert (first["event"], first["seq"]) == ("gap", 1)
        assert [line["seq"] for line in rest] == list(range(first["last"] + 1, len(sent) + 1))


def test_whom_a_message_is_for_is_fixed_when_it_is_sent_and_a_nodes_own_tags_decide_what_it_delivers(
    tmp_path: Path,
) -> None:
    def restart(host: str, role: str) -> None:
        here.nodes[host].stop()
        (tmp_path / host / "config" / "noded.toml").write_text(f'tags = {{ role = "{role}" }}\n')
        here.nodes[host].start()

    with tagged(tmp_path) as here:
        deafen(here.lab, "master", Kind.HELLO)
        restart("node2", "web")
        stray = send(here, b"for web", to="role=web")
        eventually(lambda: here.states(stray) == {"node1": "delivered", "node2": "delivered"}, "both are of role=web")
        receipts = here.master.call("receipts", ReceiptsRequest(stray))
        assert (receipts.expected, receipts.received) == (1, 1)
        assert {row.name: row.unexpected for row in receipts.rows} == {"node1": False, "node2": True}
        undeafen(here.lab, "master")
        eventually(lambda: len(here.master.call("nodes", NodesRequest(to="role=web")).rows) == 2, "the master knows it")

        here.nodes["node1"].stop()
        web = send(here, b"only node2", to="role=web,name!=node1")
        later = send(here, b"for node1 as it was", to="role=web")
        restart("node1", "db")
        eventually(
            lambda: here.states(later) == {"node1": "refused", "node2": "delivered"}, "it is of role=web no more"
        )
        assert here.states(web) == {"node2": "delivered"}
        assert [line["text"] for line in here.nodes["node1"].lines()] == ["for web"]
        assert [line["text"] for line in here.nodes["node2"].lines()] == [
            "for web",
            "only node2",
            "for node1 as it was",
        ]


@pytest.mark.parametrize("fault", sorted(name for name in POINTS if not name.startswith("any")))
def test_a_kill_at_any_durable_step_loses_repeats_and_renumbers_nothing(tmp_path: Path, fault: str) -> None:
    with tagged(tmp_path) as here:
        daemon = here.master if fault.startswith("master") else here.nodes["node1"]
        assert send(here, b"before") == "1"
        eventually(lambda: set(here.states("1").values()) == {"delivered"}, "the first is everywhere")
        daemon.stop()
        daemon.environ[VARIABLE] = fault
        daemon.start()
        request = BroadcastRequest(body=b"during", request="during")
        try:
            here.master.call("broadcast", request)
        except ControlError:
            assert daemon is here.master
        process = daemon.process
        assert process
        eventually(lambda: process.poll() is not None, "the fault strikes")
        del daemon.environ[VARIABLE]
        daemon.start()
        sent = here.master.call("broadcast", request)
        assert (sent.id, sent.repeated) == ("2", fault != "master: before message commit")
        assert send(here, b"after") == "3"
        here.wait_delivered("1", "2", "3")
        for node in here.nodes.values():
            assert [line["text"] for line in node.lines()] == ["before", "during", "after"]
            assert [line["n"] for line in node.lines()] == [1, 2, 3]
