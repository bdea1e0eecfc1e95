"""`netctl token` and `netctl join`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from netcrier.control.failures import Refused
from netcrier.control.types.master import Token
from netcrier.control.types.node import Joined

from tests.scripted_host import NOW, Host

SECRET = "nck1-secret"  # noqa: S105 - no daemon knows it
JOINED = Joined(group="lab-7", master="9f3a" + "0" * 26 + "c1", changed=True)


def test_the_token_stands_alone_on_standard_output(host: Host) -> None:
    host.answers("masterd", token_create=Token(token=SECRET, closed_now=True, expires=NOW + 3600))
    ran = host.netctl("token", "--ttl", "1h", "--once")
    assert (ran.code, ran.out) == (0, "nck1-secret\n")
    assert "is closed now" in ran.err
    assert "one node may use it until 09:00:00" in ran.err
    (request,) = host.asked("token.create")
    assert (request.ttl, request.once) == (3600, True)


def test_a_token_without_bounds(host: Host) -> None:
    host.answers("masterd", token_create=Token(token=SECRET, closed_now=False))
    ran = host.netctl("token")
    assert "closed now" not in ran.err
    assert "any number of nodes may use it;" in ran.err
    assert host.netctl("token", "-q").err == ""
    assert json.loads(host.netctl("token", "--json").out)["token"] == SECRET


def test_a_token_is_read_from_standard_input(host: Host) -> None:
    host.answers("noded", join=JOINED)
    ran = host.netctl("join", stdin=b"  nck1-secret\n")
    assert (ran.code, ran.out) == (0, "this node follows master 9f3a…c1 of group lab-7\n")
    assert host.asked("join")[0].token == SECRET


def test_a_token_is_read_from_a_file(host: Host, tmp_path: Path) -> None:
    host.answers("noded", join=JOINED)
    file = tmp_path / "token"
    file.write_text("nck1-secret\n")
    assert host.netctl("join", "--token-file", str(file)).code == 0
    assert host.asked("join")[0].token == SECRET


@pytest.mark.parametrize("stdin", [b"", b"\n", b"two words", b"\xff\xfe"])
def test_what_is_no_token_is_refused_before_the_node_is_asked(host: Host, stdin: bytes) -> None:
    host.answers("noded", join=JOINED)
    ran = host.netctl("join", stdin=stdin)
    assert (ran.code, host.calls) == (2, [])
    assert "netctl token" in ran.err


def test_a_token_file_that_is_not_there_is_usage(host: Host) -> None:
    assert host.netctl("join", "--token-file", "/nonexistent").code == 2


def test_the_token_is_in_no_complaint(host: Host) -> None:
    host.answers("noded", join=Refused("usage", "this is not a token of this version"))
    ran = host.netctl("join", stdin=b"nck9-secret")
    assert (ran.code, "secret" in ran.err + ran.out) == (2, False)
