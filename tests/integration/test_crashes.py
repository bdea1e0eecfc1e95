"""A daemon is killed at each of its durable steps in turn; what it was asked to do is done all the same, and once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from netcrier.control.failures import ControlError, Refused
from netcrier.control.types.broadcast import BroadcastRequest, ReceiptsRequest
from netcrier.control.types.node import JoinRequest
from netcrier.control.types.roster import NodeRequest, NodesRequest
from netcrier.control.types.trust import Token, TokenRequest
from netcrier.runtime.faults import VARIABLE
from netcrier_ctl.lab import Lab

from tests.site import PATIENCE, Daemon, Site, eventually

STEPS = [
    *((f"any: before commit:{count}", "commit") for count in (1, 4, 8, 14)),
    *((f"any: after commit:{count}", "commit") for count in (2, 6, 11, 18)),
    *((f"any: {when} rename:{count}", "rename") for when in ("before", "after") for count in (1, 2)),
]


class Mortal(Daemon):
    """A daemon that dies at a fault, also at its start, and is started again without it."""

    died = False

    def start(self) -> None:
        with contextlib.suppress(AssertionError):
            super().start()
            return
        self.revive()

    def revive(self) -> None:
        """Start it again where it has died of its fault."""
        if self.dead() and VARIABLE in self.environ:
            del self.environ[VARIABLE]
            self.died = True
            super().start()

    def dead(self) -> bool:
        """Whether it runs no more."""
        return self.process is not None and self.process.poll() is not None

    def insist(self, method: str, params: Any = None) -> Any:
        """One request; again where the daemon died of it, or meanwhile."""
        for _ in range(3):
            try:
                return self.call(method, params)
            except Refused:
                raise
            except ControlError:
                with contextlib.suppress(AssertionError):
                    eventually(self.dead, "it has died", 3.0)
                self.revive()
        return self.call(method, params)


def until(daemon: Mortal, condition: Callable[[], bool], what: str) -> None:
    """As `eventually`; the daemon may die meanwhile."""

    def holds() -> bool:
        daemon.revive()
        with contextlib.suppress(ControlError):
            return condition()
        return False

    eventually(holds, what, 2 * PATIENCE)


def texts(daemon: Daemon) -> list[Any]:
    return [line.get("text") for line in daemon.lines()]


@pytest.mark.parametrize("fault", [fault for fault, _ in STEPS])
def test_a_master_that_dies_at_any_durable_step_does_what_it_was_asked_once(tmp_path: Path, fault: str) -> None:
    with Lab(["master", "node1", "node2", "stranger"]) as lab:
        here = Site(lab, tmp_path)
        master = here.master = Mortal(lab, "master", "masterd", tmp_path / "master", {VARIABLE: fault})
        tokens: list[Token] = [master.insist("token.create", TokenRequest(once=True)) for _ in range(2)]
        here.start_node("node1", NETCRIER_TOKEN=tokens[0].token)
        until(master, lambda: here.master_status().nodes.here == 1, "node1 is in")

        def say(text: str) -> str:
            return str(master.insist("broadcast", BroadcastRequest(body=text.encode(), request=text)).id)

        sent = [say("one"), say("two")]
        here.start_node("node2", NETCRIER_TOKEN=tokens[1].token)
        until(master, lambda: here.master_status().nodes.here == 2, "node2 is in")
        master.insist("keys.rotate")
        sent.append(say("three"))
        until(master, lambda: texts(here.nodes["node2"]) == ["three"], "node2 begins where it came in")
        with contextlib.suppress(Refused):  # it was revoked before the master died
            master.insist("node.revoke", NodeRequest("node2"))
        sent.append(say("four"))
        until(master, lambda: texts(here.nodes["node1"])[-1:] == ["four"], "node1 has the last")
        if not master.died:
            pytest.fail(f"{fault} was not reached")

        assert sent == ["1", "2", "3", "4"]
        assert texts(here.nodes["node1"]) == ["one", "two", "three", "four"]
        assert texts(here.nodes["node2"]) == ["three"], "the revoked node reads no more"
        assert master.stop() == 0
        master.start()
        rows = {row.name: row.state for row in master.call("nodes", NodesRequest()).rows}
        assert rows["node2"] == "revoked"
        stranger = Site(lab, tmp_path).start_node("stranger", NETCRIER_TOKEN=tokens[1].token)
        refused = "a used token lets nobody in"
        eventually(lambda: here.master_status().counters.get("token used up", 0) >= 1, refused)
        assert stranger.call("status").state == "joining"

        def state(message: str) -> dict[str, str]:
            return {row.name: row.state for row in master.call("receipts", ReceiptsRequest(message)).rows}

        eventually(lambda: {state(message)["node1"] for message in sent} == {"delivered"}, "node1 has told of all")
        assert [sorted(state(message)) for message in sent] == [["node1"], ["node1"], ["node1", "node2"], ["node1"]]


@pytest.mark.parametrize("fault", [fault for fault, kind in STEPS if kind == "rename" or int(fault.split(":")[2]) < 10])
def test_a_node_that_dies_at_any_durable_step_has_every_message_once(tmp_path: Path, fault: str) -> None:
    with Lab(["master", "node1"]) as lab:
        here = Site(lab, tmp_path)
        here.start_master()
        token = here.master.call("token.create", TokenRequest(once=True)).token
        node = Mortal(lab, "node1", "noded", tmp_path / "node1", {VARIABLE: fault})
        here.nodes["node1"] = node
        node.insist("join", JoinRequest(token))
        until(node, lambda: here.master_status().nodes.here == 1, "it is in")

        def newest(sequence: int) -> bool:
            return here.sequences("node1")[-1:] == [sequence]

        expected = []
        for number in range(12):
            sent = here.broadcast(b"%d" % number, ttl=0.001 if number == 7 else None)
            expected.append(sent.sequence)
            if number % 3 == 0:
                until(node, partial(newest, sent.sequence), f"#{sent.id}")
        until(node, lambda: newest(expected[-1]), "it has the last")
        if not node.died:
            pytest.fail(f"{fault} was not reached")
        lines = node.lines()
        assert [line["seq"] for line in lines] == expected
        assert [line["n"] for line in lines] == list(range(1, len(expected) + 1))
