from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from netcrier.control.failures import Broken, Deadline, NotFound, NotPermitted, Refused
from netcrier.control.types.broadcast import ReceiptRow, Receipts, Sent
from netcrier_ctl.commands.broadcast import LARGEST, goal

from tests.scripted_host import NOW, Host


def row(number: int, after: float | None = None, state: str = "delivered", seen: float | None = NOW) -> ReceiptRow:
    return ReceiptRow(node=f"{number:02x}", name=f"n{number}", state=state, after_ms=after, seen=seen)


ALL = [row(1, 2.0), row(2, 3.0), row(3, 7.0)]
PENDING = row(3, None, "pending", NOW - 12)
AWAY = row(3, None, "offline", NOW - 7200)


def sent(expected: int = 3, repeated: bool = False) -> Sent:
    return Sent(id="1285", term=1, lane=0, sequence=1285, sent=NOW, expected=expected, repeated=repeated)


def receipts(*rows: ReceiptRow) -> Receipts:
    have = sum(row.after_ms is not None for row in rows)
    return Receipts(id="1285", sent=NOW, size=2, expected=len(rows), received=have, rows=list(rows))


def before(*rows: ReceiptRow) -> Receipts:
    """As the receipts were just after the message was sent."""
    return receipts(*(row if row.state in ("offline", "duplicate") else row_pending(row) for row in rows))


def row_pending(known: ReceiptRow) -> ReceiptRow:
    return ReceiptRow(node=known.node, name=known.name, state="pending", seen=known.seen)


class Answers:
    """One answer after the other; the last again and again."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)

    def __call__(self, _params: Any) -> Any:
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def master(host: Host, *rows: ReceiptRow, stream: list[Any] | None = None) -> None:
    """A master whose nodes are in the end as `rows` say."""
    came = [row for row in rows if row.after_ms is not None]
    items = stream if stream is not None else [*came, Deadline("over")]
    followed = {"receipts.follow": items}
    host.answers("masterd", broadcast=sent(len(rows)), receipts=Answers(before(*rows), receipts(*rows)), **followed)


def test_all_received(host: Host) -> None:
    master(host, *ALL)
    ran = host.netctl("broadcast", "hi")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "#1285  3 of 3 received in 7.0 ms (p50 3.0, p99 7.0)\n"
    (request,) = host.asked("broadcast")
    assert (request.body, request.lane, len(request.request)) == (b"hi", 0, 32)


def test_missing_ones_are_listed_and_the_end_is_5(host: Host) -> None:
    master(host, *ALL[:2], PENDING)
    ran = host.netctl("broadcast", "hi")
    assert ran.code == 5
    assert ran.out.splitlines() == [
        "#1285  2 of 3 received in 3.0 ms (p50 2.0, p99 3.0)",
        "missing: n3 (last seen 12 s ago)",
    ]


def test_who_is_away_is_not_waited_for(host: Host) -> None:
    master(host, *ALL[:2], AWAY, stream=[*ALL[:2], AssertionError("it waits on")])
    ran = host.netctl("broadcast", "hi")
    assert ran.code == 5
    assert ran.out.splitlines()[1] == "missing: n3 (away 2 h; gets it when it returns)"


@pytest.mark.parametrize(("wait", "code"), [("all", 5), ("2", 0), ("66%", 0), ("67%", 5), ("none", 0), ("7", 5)])
def test_wait_says_how_many_are_enough(host: Host, wait: str, code: int) -> None:
    master(host, *ALL[:2], PENDING)
    assert host.netctl("broadcast", "hi", "--wait", wait).code == code


def test_wait_for_none_follows_nothing(host: Host) -> None:
    master(host, *ALL[:2], PENDING, stream=[AssertionError("followed")])
    ran = host.netctl("broadcast", "hi", "--wait", "none")
    assert (ran.code, len(ran.out.splitlines())) == (0, 1)


def test_waiting_ends_with_the_number_that_is_enough(host: Host) -> None:
    master(host, *ALL, stream=[ALL[0], AssertionError("it waits on")])
    assert host.netctl("broadcast", "hi", "--wait", "1").code == 0


def test_the_whole_wait_is_bounded(host: Host) -> None:
    master(host, *ALL[:2], PENDING)
    host.netctl("broadcast", "hi", "--timeout", "700ms")
    ((idle, until),) = host.bounds
    assert idle is None
    assert until == pytest.approx(0.7)


def test_no_node_is_6(host: Host) -> None:
    master(host)
    ran = host.netctl("broadcast", "hi")
    assert (ran.code, "no node is known" in ran.out) == (6, True)


def test_progress_counts_up_on_a_terminal_only(host: Host) -> None:
    def stream(_params: Any) -> Any:
        for item in ALL:
            host.monotonic += 1
            yield item

    master(host, *ALL)
    host.answers("masterd", **{"receipts.follow": stream})
    out = host.netctl("broadcast", "hi", terminal=True).out
    assert "0 of 3 received" in out
    assert out.endswith("\r\x1b[K#1285  3 of 3 received in 7.0 ms (p50 3.0, p99 7.0)\n")
    master(host, *ALL)
    assert "\r" not in host.netctl("broadcast", "hi").out


def test_json_is_one_document(host: Host) -> None:
    master(host, *ALL[:2], AWAY)
    ran = host.netctl("broadcast", "hi", "--json", "--request", "r1")
    shown = json.loads(ran.out)
    assert ran.code == 5
    assert shown["schema"] == "netctl.broadcast/1"
    assert (shown["id"], shown["request"], shown["received"], shown["expected"]) == ("1285", "r1", 2, 3)
    assert [row["name"] for row in shown["missing"]] == ["n3"]


def test_quiet_says_only_who_is_missing(host: Host) -> None:
    master(host, *ALL[:2], PENDING)
    assert host.netctl("broadcast", "hi", "-q").out == "missing: n3 (last seen 12 s ago)\n"


def test_many_missing_are_counted(host: Host) -> None:
    rows = [row(number, None, "offline", None) for number in range(12)]
    master(host, *rows)
    line = host.netctl("broadcast", "hi").out.splitlines()[1]
    assert line.count("away") == 10
    assert line.endswith("and 2 more: netctl receipts 1285")


def test_the_text_may_come_from_standard_input_or_a_file_byte_for_byte(host: Host, tmp_path: Path) -> None:
    master(host, *ALL)
    file = tmp_path / "text"
    file.write_bytes(b"\xff\n")
    host.netctl("broadcast", "-", "--wait", "none", stdin=b"a\n")
    host.netctl("broadcast", f"@{file}", "--wait", "none", "--urgent")
    assert [(request.body, request.lane) for request in host.asked("broadcast")] == [(b"a\n", 0), (b"\xff\n", 1)]


@pytest.mark.parametrize(
    ("message", "stdin"), [("", b""), ("-", b""), ("@/nonexistent", b""), ("-", b"x" * (LARGEST + 1))]
)
def test_what_cannot_be_sent_is_refused_before_anything_is_sent(host: Host, message: str, stdin: bytes) -> None:
    master(host, *ALL)
    ran = host.netctl("broadcast", message, stdin=stdin)
    assert (ran.code, host.calls) == (2, [])
    assert ran.err.startswith("netctl: ")


def test_a_break_in_the_middle_repeats_the_same_request(host: Host) -> None:
    master(host, *ALL)
    host.answers("masterd", broadcast=Answers(Broken("closed"), sent(repeated=True)))
    ran = host.netctl("broadcast", "hi")
    assert ran.code == 0
    assert len({request.request for request in host.asked("broadcast")}) == 1
    assert len(host.asked("broadcast")) == 2


def test_a_master_that_stays_broken_ends_it(host: Host) -> None:
    host.answers("masterd", broadcast=Broken("closed"))
    assert host.netctl("broadcast", "hi", "--timeout", "1s").code == 1
    assert host.monotonic <= 1.0


def test_no_answer_says_how_to_repeat_safely(host: Host) -> None:
    host.answers("masterd", broadcast=Deadline("no answer"))
    ran = host.netctl("broadcast", "hi", "--request", "r7")
    assert ran.code == 7
    assert "may have been sent" in ran.err
    assert "--request r7" in ran.err


def test_after_it_is_sent_a_failure_says_so(host: Host) -> None:
    master(host, *ALL)
    host.answers("masterd", receipts=Refused("store", "disk full"))
    ran = host.netctl("broadcast", "hi")
    assert ran.code == 1
    assert "#1285 is sent, but then masterd refused: disk full" in ran.err


def test_who_may_not_send_is_told_what_to_do(host: Host) -> None:
    error = NotPermitted(
        "your user may not change here (group netcrier-admin)", "sudo usermod -aG netcrier-admin $USER"
    )
    host.answers("masterd", broadcast=error)
    ran = host.netctl("broadcast", "hi")
    assert ran.code == 4
    assert ran.err == (
        "netctl: masterd refused: your user may not change here (group netcrier-admin).\n"
        "        sudo usermod -aG netcrier-admin $USER\n"
    )


def test_ctrl_c_says_that_it_is_sent(host: Host) -> None:
    master(host, *ALL, stream=[ALL[0], KeyboardInterrupt()])
    with pytest.raises(KeyboardInterrupt):
        host.netctl("broadcast", "hi")
    assert host.err.getvalue() == "#1285 is sent; netctl receipts 1285 tells who has it\n"


@pytest.mark.parametrize(
    ("text", "expected", "needed"), [("all", 7, 7), ("none", 7, 0), ("3", 7, 3), ("90%", 11, 10), ("0%", 5, 0)]
)
def test_goal(text: str, expected: int, needed: int) -> None:
    assert goal(text).of(expected) == needed


def test_targets_and_time_to_live_go_with_the_request_and_come_back(host: Host) -> None:
    master(host, *ALL)
    host.answers("masterd", broadcast=replace(sent(), to="role=web", expires=NOW + 600))
    shown = json.loads(host.netctl("broadcast", "hi", "--to", "role=web", "--ttl", "10m", "--json").out)
    (request,) = host.asked("broadcast")
    assert (request.to, request.ttl) == ("role=web", 600.0)
    assert (shown["to"], shown["expires"]) == ("role=web", NOW + 600)


def test_a_selector_that_matches_nobody_is_6(host: Host) -> None:
    host.answers("masterd", broadcast=NotFound("not-found", "no node matches 'role=x'"))
    ran = host.netctl("broadcast", "hi", "--to", "role=x")
    assert (ran.code, "no node matches" in ran.err) == (6, True)


@pytest.mark.parametrize(
    ("state", "code", "says"),
    [
        ("refused", 1, "n3 (refused: its tags do not match)"),
        ("refused", 2, "n3 (refused: it cannot read the selector)"),
        ("expired", 0, "n3 (its time ran out)"),
        ("missed", 0, "n3 (its time ran out before it came)"),
        ("gap", 0, "n3 (no longer kept when it came back)"),
    ],
)
def test_who_will_never_get_it_is_listed_with_the_reason(host: Host, state: str, code: int, says: str) -> None:
    without = replace(row(3, None, state), code=code)
    master(host, *ALL[:2], without, stream=[*ALL[:2], without])
    ran = host.netctl("broadcast", "hi")
    assert (ran.code, ran.out.splitlines()[1]) == (5, f"missing: {says}")


def test_until_when_an_absent_node_can_get_it_is_said(host: Host) -> None:
    master(host, *ALL[:2], AWAY)
    last = replace(receipts(*ALL[:2], AWAY), kept_until=NOW + 7 * 86400, expires=NOW + 3600)
    host.answers("masterd", receipts=Answers(before(*ALL[:2], AWAY), last))
    line = host.netctl("broadcast", "hi").out.splitlines()[1]
    assert line == "missing: n3 (away 2 h; gets it when it returns, until 09:00:00)"


def test_handlers_that_have_failed_by_then_are_named(host: Host) -> None:
    badly = replace(row(2, 3.0), state="handled", code=513, reason="handler timed out")
    master(host, *ALL)
    host.answers("masterd", receipts=Answers(before(*ALL), receipts(ALL[0], badly, ALL[2])))
    ran = host.netctl("broadcast", "hi")
    assert ran.code == 0
    assert ran.out.splitlines()[1:] == ["handlers failed: n2 (handler timed out)"]


def test_a_node_that_was_not_expected_is_listed_and_not_counted(host: Host) -> None:
    stray = replace(row(9, 4.0), unexpected=True)
    master(host, *ALL, stream=[stray, *ALL])
    last = replace(receipts(*ALL, stray), expected=3, received=3)
    host.answers("masterd", broadcast=sent(), receipts=Answers(before(*ALL), last))
    ran = host.netctl("broadcast", "hi", "--to", "role=web")
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "#1285  3 of 3 received in 7.0 ms (p50 3.0, p99 7.0)",
        "unexpected: n9; by their own tags it is for them",
    ]


def test_an_identity_that_two_machines_use_is_not_waited_for(host: Host) -> None:
    master(host, row(1, 2.0), row(4, None, "duplicate", NOW), stream=[row(1, 2.0)])
    ran = host.netctl("broadcast", "hi")
    assert ran.code == 5
    assert ran.out.splitlines()[-1] == (
        "missing: n4 (two machines use its identity: which of them has it is not known)"
    )
