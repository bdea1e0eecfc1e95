"""netctl broadcast with real daemons and a node that is down: how long it waits, what it says, with which status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from netcrier.control.types.broadcast import SentMessagesRequest
from netcrier.wire.limits import MESSAGE_MAX
from netcrier_ctl.lab import Lab

from tests.site import Site, eventually

SOON = 4.0
"""Seconds within which netctl ends where nothing is to be waited for; --timeout is longer in these tests."""


class Desk:
    """A site of three nodes of which the third is down, and netctl on the master's host."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.took = 0.0

    def netctl(self, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run it; `took` is how long it was."""
        command = [*self.site.lab.enter("master"), sys.executable, "-m", "netcrier_ctl.cli", *words]
        environ = {**os.environ, **self.site.master.environ}
        began = time.monotonic()
        done = subprocess.run(command, env=environ, input=stdin, capture_output=True, timeout=60, check=False)
        self.took = time.monotonic() - began
        return done

    def broadcast(self, *words: str, stdin: bytes = b"") -> tuple[int, list[str]]:
        """Its status and the lines that it prints."""
        done = self.netctl("broadcast", *words, stdin=stdin)
        return done.returncode, done.stdout.decode().splitlines()

    @property
    def newest(self) -> bytes:
        """The beginning of the body of the newest message."""
        body: bytes = self.site.master.call("messages", SentMessagesRequest(limit=1)).rows[-1].body
        return body


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with Lab(["master", "node1", "node2", "node3"]) as lab:
        site = Site(lab, tmp_path_factory.mktemp("waiting"))
        site.start_master()
        for host in ("node1", "node2", "node3"):
            site.start_node(host)
        site.wait_enrolled()
        site.nodes["node3"].stop()
        yield Desk(site)


@pytest.mark.parametrize("wait", [(), ("--wait", "all"), ("--wait", "3"), ("--wait", "67%"), ("--wait", "100%")])
def test_who_wants_more_receipts_than_come_waits_for_the_time_and_ends_with_5(
    desk: Desk, wait: tuple[str, ...]
) -> None:
    code, lines = desk.broadcast("hello", *wait, "--timeout", "1.5s")
    assert code == 5
    assert "2 of 3 received in" in lines[0]
    assert lines[1].startswith("missing: node3 (last seen ")
    assert desk.took >= 1.5


@pytest.mark.parametrize("wait", ["2", "1", "66%", "1%", "0%"])
def test_who_wants_no_more_than_come_is_not_kept_and_ends_with_0(desk: Desk, wait: str) -> None:
    code, lines = desk.broadcast("hello", "--wait", wait, "--timeout", "30s")
    assert (code, " of 3 received" in lines[0]) == (0, True)
    assert lines[1].startswith("missing: ")
    assert desk.took < SOON


def test_who_waits_for_none_hears_that_it_is_sent_and_of_nobody_missing(desk: Desk) -> None:
    code, lines = desk.broadcast("hello", "--wait", "none", "--timeout", "30s")
    assert (code, len(lines)) == (0, 1)
    assert desk.took < SOON


@pytest.mark.parametrize("wait", ["some", "-1", "101%", "1.5", "%", ""])
def test_another_word_for_whom_to_wait_is_2_and_sends_nothing(desk: Desk, wait: str) -> None:
    before = desk.newest
    done = desk.netctl("broadcast", "not sent", f"--wait={wait}")
    assert done.returncode == 2
    assert b"is not all, none, a number as 40, or a percentage as 90%" in done.stderr
    assert desk.newest == before


def test_the_document_says_the_same(desk: Desk) -> None:
    done = desk.netctl("broadcast", "hello", "--json", "--timeout", "1s")
    shown = json.loads(done.stdout)
    assert (done.returncode, shown["schema"]) == (5, "netctl.broadcast/1")
    assert (shown["expected"], shown["received"]) == (3, 2)
    assert [row["name"] for row in shown["missing"]] == ["node3"]
    assert 0 < shown["p50_ms"] <= shown["p99_ms"] <= shown["complete_ms"]


def test_a_target_that_nobody_meets_is_6_and_one_that_is_down_5(desk: Desk) -> None:
    assert desk.broadcast("hello", "--to", "role=none")[0] == 6
    code, lines = desk.broadcast("hello", "--to", "name=node3", "--timeout", "1s")
    assert (code, "0 of 1 received" in lines[0]) == (5, True)
    assert desk.broadcast("hello", "--to", "name!=node3", "--timeout", "30s")[0] == 0
    assert desk.took < SOON


def test_what_comes_by_standard_input_or_from_a_file_is_sent_to_the_byte(desk: Desk, tmp_path: Path) -> None:
    body = bytes(range(256)) + b"\n\n"
    assert desk.broadcast("-", "--wait", "2", stdin=body)[0] == 0
    assert desk.newest == body
    (tmp_path / "body").write_bytes(body[::-1])
    assert desk.broadcast(f"@{tmp_path}/body", "--wait", "2")[0] == 0
    assert desk.newest == body[::-1]
    lines = desk.site.nodes["node1"].lines()[-2:]
    assert [line["sha256"] for line in lines] == [sha256(one).hexdigest() for one in (body, body[::-1])]


def test_the_longest_message_goes_and_a_longer_or_an_empty_one_is_2(desk: Desk, tmp_path: Path) -> None:
    assert desk.broadcast("-", "--wait", "2", "--timeout", "30s", stdin=b"x" * MESSAGE_MAX)[0] == 0
    eventually(lambda: desk.site.nodes["node2"].lines()[-1]["size"] == MESSAGE_MAX, "node2 has it")
    longer = desk.netctl("broadcast", "-", stdin=b"x" * (MESSAGE_MAX + 1))
    assert (longer.returncode, b"a message is at most 1,048,576 bytes" in longer.stderr) == (2, True)
    assert desk.netctl("broadcast", "-").returncode == 2
    assert desk.netctl("broadcast", f"@{tmp_path}/none").returncode == 2
    assert desk.netctl("broadcast", "").returncode == 2


def test_a_request_that_is_repeated_sends_nothing_and_tells_of_the_first(desk: Desk) -> None:
    words = ("once", "--request", "the same request", "--wait", "2")
    first, again = desk.broadcast(*words), desk.broadcast(*words)
    assert (first[0], again[0]) == (0, 0)
    assert again[1][0].endswith("(sent before: this request is known)")
    assert first[1][0].split()[0] == again[1][0].split()[0]
    assert [line.get("text") for line in desk.site.nodes["node1"].lines()].count("once") == 1


def test_an_urgent_one_has_numbers_of_its_own_and_one_with_a_time_to_live_expires(desk: Desk) -> None:
    code, lines = desk.broadcast("quick", "--urgent", "--wait", "2")
    assert (code, lines[0].startswith("#u1  2 of 3 received in ")) == (0, True)
    done = desk.netctl("broadcast", "soon stale", "--ttl", "1s", "--timeout", "1s", "--json")
    assert done.returncode == 5
    name = json.loads(done.stdout)["id"]

    def states() -> dict[str, str]:
        shown = json.loads(desk.netctl("explain", name, "--json").stdout)
        return {row["name"]: row["state"] for row in shown["nodes"]}

    eventually(lambda: states()["node3"] == "expired", "who is away is not tried any more")
    assert states()["node1"] == "delivered"


def test_explain_tells_a_messages_life_node_by_node(desk: Desk) -> None:
    name = desk.broadcast("a life", "--wait", "2")[1][0].split()[0]
    eventually(lambda: desk.site.nodes["node1"].lines()[-1].get("text") == "a life", "node1 logs it")
    done = desk.netctl("explain", name)
    lines = done.stdout.decode().splitlines()
    assert (done.returncode, lines[0].split()[0]) == (5, name)
    told = {line.split()[0]: line for line in lines[1:]}
    assert told["sent"].endswith("6 B, to all nodes: 3 expected")
    for host in ("node1", "node2"):
        assert "received after " in told[host]
    assert "last seen " in told["node3"]


@pytest.mark.parametrize("words", [("receipts",), ("explain",), ("messages", "--body")])
def test_a_number_that_no_message_can_have_is_2_and_one_that_was_not_sent_6(desk: Desk, words: tuple[str, ...]) -> None:
    for name, code, said in (
        ("9223372036854775808", 2, "is not a message"),
        ("u99999999999999999999999999", 2, "is not a message"),
        ("9223372036854775807", 6, "is not in the store"),
    ):
        done = desk.netctl(*words, name)
        assert (done.returncode, said in done.stderr.decode()) == (code, True)
    assert "Traceback" not in desk.site.master.stderr


def test_a_master_that_is_down_is_3(desk: Desk) -> None:
    desk.site.master.stop()
    assert desk.netctl("broadcast", "nobody hears", "--timeout", "2s").returncode == 3
    desk.site.master.start()
    assert desk.broadcast("back", "--wait", "2", "--timeout", "30s")[0] == 0


def test_the_node_that_comes_back_gets_all_and_nobody_is_missing_any_more(desk: Desk) -> None:
    desk.site.nodes["node3"].start()
    wanted = desk.site.sequences("node1")
    eventually(lambda: len(desk.site.sequences("node3")) >= len(wanted) - 1, "node3 has all that was for it")
    code, lines = desk.broadcast("to all of them", "--wait", "all", "--timeout", "30s")
    assert (code, len(lines)) == (0, 1)
    assert "3 of 3 received in" in lines[0]
    assert desk.took < SOON
