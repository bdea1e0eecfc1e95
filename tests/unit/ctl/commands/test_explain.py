from __future__ import annotations

import json

from netcrier.control.failures import NotFound
from netcrier.control.types.master import ReceiptRow, Receipts

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
