from __future__ import annotations

import json

from netcrier.control.failures import NotFound
from netcrier.control.types.broadcast import ReceiptRow, Receipts
from netcrier_ctl.units import NONE

from tests.scripted_host import NOW, Host

ROWS = [
    ReceiptRow(node="aa", name="n1", state="delivered", after_ms=2.04, seen=NOW),
    ReceiptRow(node="bb", name="n2", state="offline", seen=None),
]


def receipts(*rows: ReceiptRow) -> Receipts:
    have = sum(row.after_ms is not None for row in rows)
    return Receipts(id="7", sent=NOW, size=5, expected=len(rows), received=have, rows=list(rows))


def test_each_node_has_a_row_and_missing_ones_make_5(host: Host) -> None:
    host.answers("masterd", receipts=receipts(*ROWS))
    ran = host.netctl("receipts", "7")
    assert ran.code == 5
    assert ran.out.splitlines() == [
        "#7  1 of 2 received in 2.0 ms",
        "NODE  STATE       AFTER  SEEN",
        "n1    delivered  2.0 ms  now",
        f"n2    offline         {NONE}  {NONE}",
    ]
    assert host.asked("receipts")[0].id == "7"


def test_what_handlers_returned_is_said_in_words(host: Host) -> None:
    well = ReceiptRow(node="aa", name="n1", state="handled", after_ms=2.0, seen=NOW)
    badly = ReceiptRow(node="bb", name="n2", state="handled", after_ms=2.0, code=3, reason="handler exit 3", seen=NOW)
    host.answers("masterd", receipts=receipts(well, badly))
    ran = host.netctl("receipts", "7")
    assert ran.code == 0
    assert [line[6:20].strip() for line in ran.out.splitlines()[2:]] == ["handled", "handler exit 3"]


def test_a_node_that_came_back_late_makes_no_figure_without_a_unit(host: Host) -> None:
    late = ReceiptRow(node="bb", name="n2", state="delivered", after_ms=27_026.2, seen=NOW)
    host.answers("masterd", receipts=receipts(ROWS[0], late))
    assert host.netctl("receipts", "7").out.splitlines()[0] == "#7  2 of 2 received in 27 s (p50 2.0 ms, p99 27 s)"


def test_all_received_is_0(host: Host) -> None:
    host.answers("masterd", receipts=receipts(ROWS[0]))
    assert host.netctl("receipts", "7").code == 0


def test_only_the_missing(host: Host) -> None:
    host.answers("masterd", receipts=receipts(*ROWS))
    shown = json.loads(host.netctl("receipts", "7", "--missing", "--json").out)
    assert shown["schema"] == "netctl.receipts/1"
    assert [row["name"] for row in shown["receipts"]] == ["n2"]


def test_an_unknown_message_is_6(host: Host) -> None:
    host.answers("masterd", receipts=NotFound("not-found", "message 9 is not in the store"))
    ran = host.netctl("receipts", "9")
    assert (ran.code, ran.err) == (6, "netctl: masterd: message 9 is not in the store.\n")
