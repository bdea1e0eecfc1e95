"""`netctl token`, `netctl join` and `netctl keys`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from netcrier.control.failures import Refused
from netcrier.control.types.node import Joined
from netcrier.control.types.shared import Done
from netcrier.control.types.trust import GroupKeyStatus, LackingNode, Token, TokenNameRequest, TokenRow, Tokens

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


def test_tokens_are_listed_without_their_secrets(host: Host) -> None:
    rows = [
        TokenRow(id="aa" * 8, state="usable", once=False, expires=NOW + 3600, used_by="rack7-n1"),
        TokenRow(id="bb" * 8, state="used", once=True, used_by="rack7-n2"),
    ]
    host.answers("masterd", token_list=Tokens(rows))
    lines = host.netctl("token", "list").out.splitlines()
    assert lines[0].split() == ["TOKEN", "STATE", "FOR", "UNTIL", "USED", "BY"]
    assert lines[1].split() == ["aa" * 8, "usable", "any", "number", "09:00:00", "rack7-n1"]
    assert json.loads(host.netctl("token", "list", "--json").out)["tokens"][1]["state"] == "used"
    host.answers("masterd", token_list=Tokens([]))
    assert "there is no token" in host.netctl("token", "list").err


def test_a_token_is_made_void_by_its_id(host: Host) -> None:
    host.answers("masterd", token_revoke=Done())
    assert "aabb is void" in host.netctl("token", "revoke", "aabb").out
    assert host.asked("token.revoke") == [TokenNameRequest("aabb")]


@pytest.mark.parametrize("words", [["revoke"], ["list", "aabb"], ["list", "--once"], ["revoke", "aabb", "--ttl", "1h"]])
def test_what_does_not_go_together_is_usage_and_nothing_is_asked(host: Host, words: list[str]) -> None:
    host.answers("masterd", token_list=Tokens([]), token_revoke=Done())
    assert (host.netctl("token", *words).code, host.calls) == (2, [])


LACKING = [LackingNode(node=f"{n:032x}", name=f"n{n}", seen=NOW - 60) for n in range(12)]


def test_the_key_in_force_and_who_lacks_it(host: Host) -> None:
    keys = GroupKeyStatus(
        epoch=7, since=NOW - 7200, sealed=48211, holding=38, lacking=LACKING, lacking_count=12,
        next_epoch=8, next_in_s=9.5,
    )  # fmt: skip
    host.answers("masterd", keys=keys, keys_rotate=keys)
    lines = host.netctl("keys").out.splitlines()
    assert lines[0] == "epoch 7   since 06:00:00 (2 h)   at most 48,211 datagrams sealed"
    assert lines[1] == "epoch 8 is announced and holds in 9 s"
    assert lines[2] == "38 of 50 nodes have the key"
    assert lines[3].startswith("not yet: n0 (1 min), ")
    assert lines[3].endswith("; each gets it when it asks")
    assert json.loads(host.netctl("keys", "--json").out)["epoch"] == 7
    assert host.netctl("keys", "rotate").code == 0
    assert [name for _, name, _ in host.calls] == ["keys", "keys", "keys.rotate"]


def test_when_every_node_has_the_key_nobody_is_named(host: Host) -> None:
    host.answers("masterd", keys=GroupKeyStatus(epoch=1, since=None, sealed=3, holding=2, lacking=[], lacking_count=0))
    assert host.netctl("keys").out == "epoch 1   at most 3 datagrams sealed\n2 of 2 nodes have the key\n"
