from __future__ import annotations

import json

import pytest
from msgspec.structs import replace
from netcrier.control.failures import NotFound
from netcrier.control.types.broadcast import ReceiptRow, Receipts
from netcrier.control.types.life import LaneLife, NodeLife
from netcrier.control.types.roster import NodeRequest, NodeRow

from tests.scripted_host import NOW, Host

ROWS = [
    ReceiptRow(node="aa", name="n1", state="delivered", after_ms=2.04, last_ms=2.4, seen=NOW),
    ReceiptRow(
        node="bb",
        name="n2",
        state="handled",
        after_ms=3.0,
        last_ms=812.0,
        code=3,
        reason="handler exit 3",
        repeats=1,
        seen=NOW,
    ),
    ReceiptRow(node="cc", name="n3", state="received", after_ms=9.0, last_ms=9.0, repeats=4, seen=NOW),
    ReceiptRow(node="dd", name="away-1", state="offline", seen=NOW - 7200, repeats=2),
    ReceiptRow(node="ee", name="n5", state="refused", last_ms=4.0, code=1, seen=NOW),
    ReceiptRow(node="ff", name="n6", state="missed", last_ms=60_100.0, seen=NOW),
    ReceiptRow(node="99", name="n7", state="delivered", after_ms=5.0, last_ms=5.0, unexpected=True, seen=NOW),
]


def receipts(*rows: ReceiptRow, kept: bool = True) -> Receipts:
    return Receipts(
        id="7", sent=NOW - 100, size=5, expected=6, received=3, to="role=web", expires=NOW + 60,
        kept_until=NOW + 3600, kept=kept, rows=list(rows),
    )  # fmt: skip


def test_a_messages_life_is_told_node_by_node(host: Host) -> None:
    host.answers("masterd", receipts=receipts(*ROWS))
    ran = host.netctl("explain", "7")
    assert ran.code == 5
    assert ran.out.splitlines() == [
        "#7  3 of 6 received in 9.0 ms (p50 3.0, p99 9.0)",
        "  sent      07:58:20, 5 B, to nodes with role=web: 6 expected",
        "  expires   08:01:00",
        "  kept      until 09:00:00 at most, for who is away",
        "  n1      received after 2.0 ms, delivered after 2.4 ms",
        "  n2      received after 3.0 ms, handler exit 3 after 812 ms; sent again once",
        "  n3      received after 9.0 ms; sent again 4 times",
        "  away-1  offline: away 2 h; gets it when it returns, until 08:01:00; sent again 2 times",
        "  n5      refused after 4.0 ms: its tags do not match",
        "  n6      missed after 60 s: its time ran out before it came",
        "  n7      received after 5.0 ms, delivered after 5.0 ms; unexpected: its own tags match",
    ]


def test_what_is_only_known_by_its_receipts_says_so(host: Host) -> None:
    host.answers("masterd", receipts=receipts(ROWS[0], kept=False))
    ran = host.netctl("explain", "7")
    assert "  kept      no more; only its receipts are known" in ran.out.splitlines()
    assert ran.code == 0


def test_json_is_one_document(host: Host) -> None:
    host.answers("masterd", receipts=receipts(*ROWS))
    shown = json.loads(host.netctl("explain", "7", "--json").out)
    assert (shown["schema"], shown["to"], len(shown["nodes"])) == ("netctl.explain/1", "role=web", 7)


def test_an_unknown_message_is_6(host: Host) -> None:
    host.answers("masterd", receipts=NotFound("not-found", "message 9 is not in the store"))
    assert host.netctl("explain", "9").code == 6


GATE = NodeLife(
    row=NodeRow(
        node="dd" * 16, name="gate-1", address="10.9.0.2", state="here", seen=NOW - 3, rtt_ms=4.1, behind=12,
        via="unicast", tags={"role": "gateway", "site": "fra"}, trust="token", note="broadcast does not reach it",
    ),
    joined=NOW - 3600, port=12345, boot=3, term=1, silent_after_s=30.0, single_since=NOW - 600, epoch=4, group_epoch=4,
    dropped=7, lanes=[
        LaneLife(lane=0, term=1, sent=1285, received=1283, delivered=1280),
        LaneLife(lane=1, term=1, sent=0, received=0, delivered=0),
    ],
    lacking=["1284", "1285"], lacking_count=2,
)  # fmt: skip


def test_a_nodes_life_is_told_line_by_line(host: Host) -> None:
    host.answers("masterd", node_explain=GATE)
    ran = host.netctl("explain", "gate-1")
    assert ran.code == 0
    assert host.asked("node.explain") == [NodeRequest("gate-1")]
    assert ran.out.splitlines() == [
        "gate-1  here, last heard 3 s ago",
        f"  joined    07:00:00, trust token, id {'dd' * 16}",
        "  address   10.9.0.2 port 12345, start 3, round trip 4.1 ms",
        "  carrier   unicast since 07:50:00: its reports show that broadcast does not reach it",
        "  queue     has all up to #1283 of 1,285, in its log up to #1280",
        "  urgent    nothing was sent",
        "  lacks     #1284, #1285",
        "  key       epoch 4, the present one",
        "  kernel    dropped 7 datagrams for want of buffer; they were asked for again",
        "  tags      role=gateway site=fra",
    ]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("away", "gate-1  away: silent 2 h, more than 30 s; it gets what it lacks when it returns"),
        ("waiting", "gate-1  waits to be let in, and gets nothing: netctl node approve gate-1"),
        ("revoked", "gate-1  shut out, and gets nothing: netctl node approve gate-1 lets it in again"),
        ("duplicate", "gate-1  two machines use its identity: what they say of messages is not counted."),
    ],
)
def test_why_a_node_is_not_here_is_said_first(host: Host, state: str, said: str) -> None:
    row = replace(GATE.row, state=state, seen=NOW - 7200)
    host.answers("masterd", node_explain=replace(GATE, row=row))
    lines = host.netctl("explain", "dddd").out.splitlines()
    assert lines[0].startswith(said)
    assert any("lacks" in line for line in lines) is (state in ("away", "duplicate"))


def test_a_node_that_has_not_spoken_or_finishes_an_earlier_term_says_so(host: Host) -> None:
    many = replace(GATE, lanes=[], epoch=0, lacking=["1"] * 10, lacking_count=300, solicited=6, single_since=None)
    host.answers("masterd", node_explain=many)
    out = host.netctl("explain", "gate-1").out
    assert "  lanes     it has not reported since the master's start" in out
    assert "#1 and 290 more; asked 6 times without an answer" in out
    assert "  key       none shown yet; the present one is 4, it asks for it when it hears a beacon" in out
    assert "  carrier   unicast; broadcast does not reach it" in out
    host.answers("masterd", node_explain=replace(GATE, term=2))
    assert "in its log up to #1280; finishes term 1 first" in host.netctl("explain", "gate-1").out


def test_numbers_of_a_later_term_and_of_the_urgent_lane_are_named_as_messages_are(host: Host) -> None:
    lanes = [
        LaneLife(lane=0, term=3, sent=5, received=2, delivered=2),
        LaneLife(lane=1, term=3, sent=4, received=4, delivered=4),
    ]
    host.answers("masterd", node_explain=replace(GATE, term=3, lanes=lanes))
    out = host.netctl("explain", "gate-1").out
    assert "  queue     has all up to #3/2 of 5\n" in out
    assert "  urgent    has all up to #3/u4\n" in out
    none = [LaneLife(lane=0, term=1, sent=5, received=0, delivered=0)]
    host.answers("masterd", node_explain=replace(GATE, lanes=none))
    assert "  queue     has none of 5\n" in host.netctl("explain", "gate-1").out


def test_a_nodes_life_is_json_too_and_an_unknown_one_is_6(host: Host) -> None:
    host.answers("masterd", node_explain=GATE)
    shown = json.loads(host.netctl("explain", "gate-1", "--json").out)
    assert (shown["schema"], shown["node"]["row"]["name"]) == ("netctl.explain/1", "gate-1")
    assert shown["node"]["lanes"][0]["received"] == 1283
    host.answers("masterd", node_explain=NotFound("not-found", "no node is named 'x'"))
    assert host.netctl("explain", "x").code == 6


@pytest.mark.parametrize("name", ["7", "#7", "u7", "#2/u7"])
def test_what_looks_like_a_message_is_one(host: Host, name: str) -> None:
    host.answers("masterd", receipts=receipts(ROWS[0]))
    assert host.netctl("explain", name).code == 0
