from __future__ import annotations

import json

import pytest
from msgspec.structs import replace
from netcrier.control.failures import Broken, NotPermitted
from netcrier.control.types.broadcast import SentMessages, SentRow
from netcrier.control.types.node import ReceivedMessages, ReceivedRow
from netcrier.control.types.shared import Body
from netcrier_ctl.units import NONE

from tests.scripted_host import NOW, Host, Output


def row(n: int, body: bytes = b"hello") -> ReceivedRow:
    return ReceivedRow(
        n=n, id=str(1280 + n), sent=NOW - 9, received=NOW - 9, size=len(body), sha256="00", body=body, trust="token"
    )


SENT = SentRow(id="1284", sent=NOW - 9, size=5, body=b"hello", expected=50, received=48)


class Over(Exception):
    """Ends what never ends."""


def end() -> None:
    raise Over


def test_a_nodes_messages_are_shown_on_one_line_each(host: Host) -> None:
    host.answers("noded", messages=ReceivedMessages([row(1), row(2, b"two\nlines \x1b[2J")]))
    ran = host.netctl("messages", "-n", "2")
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "ID     RECEIVED  SIZE  MESSAGE",
        "#1281  07:59:51  5 B   hello",
        "#1282  07:59:51  14 B  two\\nlines \\x1b[2J",
    ]
    assert host.asked("messages")[0].limit == 2


def test_what_a_node_is_without_for_good_is_no_empty_message(host: Host) -> None:
    missed, gap = (replace(row(n, b""), event=event, count=n) for n, event in ((1, "missed"), (2, "gap")))
    host.answers("noded", messages=ReceivedMessages([missed, gap, row(4, b"")]))
    assert host.netctl("messages").out.splitlines() == [
        "ID     RECEIVED  SIZE  MESSAGE",
        f"#1281  07:59:51  {NONE}     (missed: too late, the time to live was over)",
        f"#1282  07:59:51  {NONE}     (gap: 2 messages from here on: no longer kept by the master)",
        "#1284  07:59:51  0 B",
    ]
    shown = json.loads(host.netctl("messages", "--json").out)["messages"]
    assert [(one["event"], one["count"]) for one in shown] == [("missed", 1), ("gap", 2), ("message", 1)]


def test_where_only_the_master_runs_its_own_are_shown(host: Host) -> None:
    host.answers("masterd", messages=SentMessages([SENT]))
    assert host.netctl("messages").out.splitlines()[1] == "#1284  07:59:51  5 B   48 of 50  hello"


def test_the_master_may_be_asked_where_both_run(host: Host) -> None:
    host.answers("masterd", messages=SentMessages([SENT]))
    host.answers("noded", messages=ReceivedMessages([row(1)]))
    assert "48 of 50" in host.netctl("messages", "--daemon", "masterd").out
    assert "48 of 50" not in host.netctl("messages").out


def test_where_neither_runs_it_is_3(host: Host) -> None:
    ran = host.netctl("messages")
    assert (ran.code, "neither noded nor masterd" in ran.err) == (3, True)


def test_no_message_is_no_fault(host: Host) -> None:
    host.answers("noded", messages=ReceivedMessages([]))
    assert (host.netctl("messages").code, host.netctl("messages").out) == (0, "")
    assert json.loads(host.netctl("messages", "--json").out) == {"schema": "netctl.messages/1", "messages": []}


def test_follow_goes_on_where_the_list_ends(host: Host) -> None:
    host.answers("noded", messages=ReceivedMessages([row(1), row(2)]), messages_follow=[row(3)])
    ran = host.netctl("messages", "-f", "--json")
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert [(line["schema"], line["n"], line["text"]) for line in lines] == [
        ("netctl.message/1", n, "hello") for n in (1, 2, 3)
    ]
    assert host.asked("messages.follow")[0].after == 2


@pytest.mark.parametrize(("words", "after"), [(["-n", "0"], None), ([], 0)])
def test_follow_of_an_empty_journal_misses_none(host: Host, words: list[str], after: int | None) -> None:
    host.answers("noded", messages=ReceivedMessages([]), messages_follow=[])
    host.netctl("messages", "-f", *words)
    assert host.asked("messages.follow")[0].after == after


def test_follow_survives_a_restart_of_the_daemon_without_gap_or_repetition(host: Host) -> None:
    streams = [[row(3), Broken("closed")], [Broken("closed")], [row(4)]]
    host.answers("noded", messages=ReceivedMessages([row(2)]), messages_follow=lambda _params: streams.pop(0))
    ran = host.netctl("messages", "-f")
    assert ran.code == 0
    assert [line.split()[0] for line in ran.out.splitlines()] == ["#1282", "#1283", "#1284"]
    assert [request.after for request in host.asked("messages.follow")] == [2, 3, 3]


def test_follow_waits_for_a_daemon_that_is_down(host: Host) -> None:
    def gone(_params: object) -> list[object]:
        del host.daemons["noded"]
        return [Broken("closed")]

    host.answers("noded", messages=ReceivedMessages([]), messages_follow=gone)
    host.on_sleep = lambda: end() if host.monotonic > 5 else None
    with pytest.raises(Over):
        host.netctl("messages", "-f")


def test_follow_ends_where_it_is_refused(host: Host) -> None:
    host.answers("noded", messages=ReceivedMessages([]), messages_follow=[NotPermitted("no")])
    assert host.netctl("messages", "-f").code == 4


def test_a_master_has_nothing_to_follow(host: Host) -> None:
    host.answers("masterd", messages=SentMessages([]))
    ran = host.netctl("messages", "-f")
    assert (ran.code, "netctl logs -f masterd" in ran.err) == (2, True)


def test_lines_are_cut_to_the_terminal_only(host: Host) -> None:
    host.answers("noded", messages=ReceivedMessages([row(1, b"x" * 5000)]))
    assert len(host.netctl("messages").out) > 5000


@pytest.mark.parametrize("daemon", ["noded", "masterd"])
def test_a_whole_body_is_written_exactly(host: Host, daemon: str) -> None:
    sent = b"\xff\x00 no end of line" + bytes(20_000)
    host.answers(daemon, message_body=Body(id="1284", body=sent))
    ran = host.netctl("messages", "--body", "1284")
    assert (ran.code, ran.out) == (0, "")
    assert isinstance(host.out, Output)
    assert host.out.written.getvalue() == sent
    assert host.asked("message.body")[0].id == "1284"
