"""netctl ping and query: tables, lines, exit statuses."""

from __future__ import annotations

import json
from functools import partial

from msgspec.structs import replace
from netcrier.control.failures import NotFound
from netcrier.control.types.question import AnswerRow, PingRequest, QueryRequest
from netcrier_ctl.units import NONE

from tests.scripted_host import NOW, Host

QUICK = AnswerRow(
    node="aa" * 16, name="n1", address="10.0.7.11", state="answered", code=0, after_ms=2.4, rtt_ms=0.31, seen=NOW
)
SLOW = AnswerRow(
    node="bb" * 16, name="n2", address="10.0.7.12", state="answered", code=0, after_ms=61.0, rtt_ms=None, seen=NOW
)
row = partial(replace, QUICK)
SILENT = AnswerRow(node="cc" * 16, name="n\x1b3", address="", state="silent", seen=NOW - 12)


def test_ping_is_a_table_with_the_quickest_first_and_the_silent_named(host: Host) -> None:
    host.answers("masterd", ping=[SLOW, QUICK, SILENT])
    ran = host.netctl("ping", "--to", "role=web")
    assert ran.code == 5
    assert ran.out.replace(NONE, "-").splitlines() == [
        "NAME    ADDRESS       RTT",
        "n1      10.0.7.11  0.3 ms",
        "n2      10.0.7.12       -  answered when asked again",
        "n\\x1b3  -               -  silent",
        "2 of 3 answered, p50 0.3 ms, p99 0.3 ms",
        "silent: n\\x1b3 (last seen 12 s ago)",
    ]
    assert host.calls[-1][2] == PingRequest(to="role=web", timeout=2.0)


def test_ping_in_json_is_one_object(host: Host) -> None:
    host.answers("masterd", ping=[QUICK])
    ran = host.netctl("ping", "--json", "--timeout", "500ms")
    assert ran.code == 0
    shown = json.loads(ran.out)
    assert (shown["schema"], shown["nodes"][0]["rtt_ms"]) == ("netctl.ping/1", 0.31)
    assert host.calls[-1][2] == PingRequest(timeout=0.5)


def test_nobody_matched_is_6(host: Host) -> None:
    host.answers("masterd", ping=NotFound("not-found", "no node matches 'a=b'"))
    assert host.netctl("ping", "--to", "a=b").code == 6


def test_a_query_shows_each_answer_behind_its_node(host: Host) -> None:
    host.answers(
        "masterd",
        query=[
            row(output=b"one\ntwo \x1b[2J\n", size=12),
            row(name="n2", output=b"", size=0),
            row(name="n3", state="failed", code=3, reason="exit 3", output=b"oops", size=5000),
            row(name="n4", state="refused", code=512, reason="no such handler"),
        ],
    )
    ran = host.netctl("query", "disk", "text", "--to", "role=web")
    assert ran.out.splitlines() == [
        "n1: one",
        "n1: two \\x1b[2J",
        "n2: done",
        "n3: oops",
        "n3: … 5.0 kB more were cut off",
        "n3: exit 3",
        "n4: no such handler",
    ]
    assert ran.err.splitlines()[0] == "2 of 4 answered, 1 failed, 1 refused, p50 2.4 ms, p99 2.4 ms"
    assert ran.code == 5
    assert host.calls[-1][2] == QueryRequest(name="disk", body=b"text", to="role=web", timeout=10.0)


def test_a_query_in_json_is_an_object_a_line_and_its_text_may_come_from_standard_input(host: Host) -> None:
    host.answers("masterd", query=[row(output=b"\xff", size=1), SILENT])
    ran = host.netctl("query", "disk", "-", "--json", stdin=b"in\n")
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert [line["schema"] for line in lines] == ["netctl.query/1"] * 2
    assert (lines[0]["output_b64"], lines[1]["state"], ran.code, ran.err) == ("/w==", "silent", 5, "")
    assert host.calls[-1][2].body == b"in\n"
