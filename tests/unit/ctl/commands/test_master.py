"""netctl master: takes over and waits until it is true, or gives masterd a new store."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from netcrier.control.failures import Refused
from netcrier.control.types.master import MasterStatus, TakenOver

from tests.scripted_host import Host
from tests.unit.ctl.commands.test_status import MASTER


def standing(term: int, name: str, unknown: list[str]) -> MasterStatus:
    fields = {field: getattr(MASTER, field) for field in MASTER.__struct_fields__}
    return MasterStatus(**(fields | {"term": term, "standing": name, "unknown": unknown}))


def test_take_over_ends_when_the_term_is_in_force(host: Host) -> None:
    answers = iter([standing(1, "standby", []), standing(2, "listening", []), standing(2, "speaking", ["1/1284"])])
    host.answers("masterd", master_takeover=TakenOver(term=2), status=lambda _params: next(answers))
    ran = host.netctl("master", "take-over")
    assert (ran.code, ran.out) == (0, "this master speaks now, in term 2; nodes follow within a second\n")
    assert "nodes had messages up to #1/1284 that it does not have" in ran.err


def test_take_over_as_json(host: Host) -> None:
    host.answers("masterd", master_takeover=TakenOver(term=2), status=standing(2, "speaking", []))
    shown = json.loads(host.netctl("master", "take-over", "--json").out)
    assert shown == {"schema": "netctl.master/1", "action": "take-over", "term": 2, "unknown": []}


def test_take_over_that_does_not_come_true_is_7(host: Host) -> None:
    host.answers("masterd", master_takeover=TakenOver(term=2), status=standing(1, "standby", []))
    ran = host.netctl("master", "take-over", "--timeout", "2s")
    assert (ran.code, "does not speak in term 2 yet" in ran.err) == (7, True)


def test_take_over_that_is_refused_says_why(host: Host) -> None:
    host.answers("masterd", master_takeover=Refused("store", "the disk is full"))
    ran = host.netctl("master", "take-over")
    assert (ran.code, "the disk is full" in ran.err) == (1, True)


def test_recover_of_a_running_master_is_refused(host: Host) -> None:
    host.answers("masterd", status=standing(1, "speaking", []))
    ran = host.netctl("master", "recover")
    assert (ran.code, "masterd runs, so its store is sound" in ran.err) == (1, True)


@pytest.mark.parametrize(("status", "code"), [(0, 0), (78, 1)])
def test_recover_is_masterds_own_work(host: Host, monkeypatch: pytest.MonkeyPatch, status: int, code: int) -> None:
    ran_with: list[Any] = []

    def run(words: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        ran_with.append((words[1:], options["env"].get("NETCRIER_INSTANCE")))
        return subprocess.CompletedProcess(words, status, "" if status else "masterd: done\n", "masterd: why\n")

    monkeypatch.setattr(subprocess, "run", run)
    ran = host.netctl("master", "recover", "--daemon", "masterd@two")
    assert ran_with == [(["-m", "netcrier.masterd", "--recover"], "two")]
    assert ran.code == code
    assert ("why" in ran.err) if status else (ran.out == "done\n" and "masterd" in ran.err)
