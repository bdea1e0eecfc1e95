from __future__ import annotations

import json

import pytest
from msgspec.structs import replace
from netcrier.control.failures import NotFound
from netcrier.control.types.roster import NodeRow, Nodes
from netcrier.control.types.shared import Done
from netcrier.control.types.trust import Revoked
from netcrier_ctl.units import NONE

from tests.scripted_host import NOW, Host

HERE = NodeRow(
    node="aa" * 16, name="rack7-n1", address="10.0.7.11", state="here", seen=NOW - 3, rtt_ms=0.31, via="broadcast",
    tags={"site": "fra", "role": "render"}, trust="token",
)  # fmt: skip
AWAY = NodeRow(
    node="bb" * 16, name="rack7-n4", address="10.0.7.14", state="away", seen=NOW - 7200, behind=9, via="broadcast"
)
WAITING = NodeRow(node="cc" * 16, name="new\x1b[2J", address="", state="waiting", seen=NOW - 90)


def test_nodes_are_a_table_with_the_next_step_where_something_waits(host: Host) -> None:
    host.answers("masterd", nodes=Nodes([HERE, AWAY, WAITING]))
    ran = host.netctl("nodes")
    assert ran.code == 0
    lines = [line.replace(NONE, "-") for line in ran.out.splitlines()]
    assert lines[:3] == [
        "NAME        ADDRESS    SEEN   RTT     BEHIND  VIA        TAGS",
        "rack7-n1    10.0.7.11  now    0.3 ms       0  broadcast  role=render site=fra",
        "rack7-n4    10.0.7.14  2 h    -            9  broadcast",
    ]
    assert lines[3].startswith("new\\x1b[2J  -          1 min  -            0  -  ")
    assert lines[3].endswith("  waits to be let in: netctl node approve new\\x1b[2J")


def test_a_node_that_broadcast_does_not_reach_says_so(host: Host) -> None:
    gate = NodeRow(
        node="dd" * 16, name="gate-1", address="10.9.0.2", state="here", seen=NOW - 1, rtt_ms=4.1, via="unicast",
        tags={"role": "gateway"}, note="broadcast does not reach it",
    )  # fmt: skip
    host.answers("masterd", nodes=Nodes([gate]))
    line = host.netctl("nodes").out.splitlines()[1]
    assert line.startswith("gate-1  10.9.0.2  now   4.1 ms       0  unicast  role=gateway  ")
    assert line.endswith("  broadcast does not reach it: netctl explain gate-1")


def test_only_those_away(host: Host) -> None:
    host.answers("masterd", nodes=Nodes([HERE, AWAY]))
    shown = json.loads(host.netctl("nodes", "--away", "--json").out)
    assert [row["name"] for row in shown["nodes"]] == ["rack7-n4"]


def test_none_away_is_6_and_none_at_all_is_not(host: Host) -> None:
    host.answers("masterd", nodes=Nodes([HERE]))
    assert host.netctl("nodes", "--away").code == 6
    assert json.loads(host.netctl("nodes", "--away", "--json").out) == {"schema": "netctl.nodes/1", "nodes": []}
    host.answers("masterd", nodes=Nodes([]))
    ran = host.netctl("nodes")
    assert (ran.code, ran.out, "no node is known yet" in ran.err) == (0, "", True)


def test_verbose_shows_trust_and_the_whole_id(host: Host) -> None:
    host.answers("masterd", nodes=Nodes([HERE]))
    assert host.netctl("nodes", "-v").out.splitlines()[1].endswith("token  " + "aa" * 16)


@pytest.mark.parametrize("action", ["approve", "forget"])
def test_nodes_are_let_in_and_forgotten_by_name(host: Host, action: str) -> None:
    host.answers("masterd", **{f"node.{action}": Done()})
    ran = host.netctl("node", action, "a", "b")
    assert ran.code == 0
    assert [request.node for request in host.asked(f"node.{action}")] == ["a", "b"]
    assert len(ran.out.splitlines()) == 2


def test_an_unknown_node_is_6(host: Host) -> None:
    host.answers("masterd", node_approve=NotFound("not-found", "no node is named 'x'"))
    assert host.netctl("node", "approve", "x").code == 6


def test_a_node_is_shut_out_and_its_token_with_it(host: Host) -> None:
    host.answers("masterd", node_revoke=Revoked(epoch=4, void_token="ab" * 8))
    ran = host.netctl("node", "revoke", "a")
    assert ran.out == "a is out; the group key is of epoch 4 now\n"
    assert "abababab… is void" in ran.err
    host.answers("masterd", node_revoke=Revoked(epoch=4, closed_now=True))
    assert "is closed now" in host.netctl("node", "revoke", "a").err
    host.answers("masterd", node_revoke=Revoked(epoch=5))
    assert host.netctl("node", "revoke", "a").err == ""


def test_a_node_that_is_shut_out_stays_in_the_list(host: Host) -> None:
    row = NodeRow(node="aa" * 16, name="n1", address="10.0.7.11", state="revoked", trust="revoked")
    host.answers("masterd", nodes=Nodes([row]))
    assert host.netctl("nodes").out.splitlines()[1].endswith("  is shut out: netctl node approve n1 lets it in again")


def test_nodes_are_chosen_by_their_tags(host: Host) -> None:
    host.answers("masterd", nodes=Nodes([HERE]))
    host.netctl("nodes", "--to", "role=render")
    assert host.asked("nodes")[0].to == "role=render"
    host.answers("masterd", nodes=Nodes([]))
    ran = host.netctl("nodes", "--to", "role=x")
    assert (ran.code, ran.err) == (6, "no node matches role=x\n")


def test_gaps_and_a_new_key_under_a_known_name_are_noted(host: Host) -> None:
    host.answers("masterd", nodes=Nodes([replace(HERE, gaps=120, successor_of="dd" * 16)]))
    line = host.netctl("nodes").out.splitlines()[1]
    assert "lacks 120 messages no longer kept" in line
    assert "a new key under a known name; the old one: netctl node forget dddddddd" in line


def test_one_node_is_shown_whole(host: Host) -> None:
    host.answers("masterd", nodes=Nodes([HERE, AWAY]))
    ran = host.netctl("node", "show", "rack7-n1")
    assert ran.code == 0
    lines = [line.split() for line in ran.out.splitlines()]
    assert lines[0] == ["rack7-n1"]
    assert ["tag", "role=render"] in lines
    assert ["round", "trip", "0.3", "ms"] in lines
    assert json.loads(host.netctl("node", "show", "bbbb", "--json").out)["node"]["name"] == "rack7-n4"
    assert host.netctl("node", "show", "nobody").code == 6
