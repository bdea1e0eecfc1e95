"""netctl demo: the whole of Netcrier on a private network, in seconds.

A real masterd, four real nodeds and an analyzerd run as processes of their own in namespaces that nothing else can see.
All that is shown comes from their control sockets and logs. Everything goes with the lab, also on Ctrl-C and after a
crash: its process 1 ends when our end of a pipe closes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netcrier.control.client import Client
from netcrier.control.failures import ControlError
from netcrier.control.methods import BROADCAST, MASTER_STATUS, NODE_STATUS, RECEIPTS_FOLLOW
from netcrier.control.types.broadcast import BroadcastRequest, ReceiptsRequest
from netcrier.errors import NetcrierError

from netcrier_ctl.exit_codes import Exit
from netcrier_ctl.lab import HUB, Lab, Process

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from netcrier_ctl.screen import Screen
    from netcrier_ctl.session import Session

NODES = ("node1", "node2", "node3", "node4")
MESSAGE = "hello, everyone"
PATIENCE = 10.0
"""Seconds for each step; the whole takes about three."""

WIDTH = 76


class Demo:
    """One run, step by step. A step that does not come true raises NetcrierError."""

    def __init__(self, lab: Lab, screen: Screen) -> None:
        self._lab, self._screen = lab, screen
        self._began = time.monotonic()
        self._processes: dict[str, Process] = {}

    def run(self) -> str:
        """The last line."""
        self._say("A private network: one master, four nodes, one analyzer (nothing leaves this machine).")
        self._start("analyzerd", HUB, NETCRIER_CAPTURE_INTERFACES="br0", NETCRIER_CAPTURE_PROMISCUOUS="true")
        self._start("masterd", "master")
        for node in NODES:
            self._start("noded", node)
        with self._client("masterd", "master") as master:
            self._wait(lambda: master.call(MASTER_STATUS).nodes.here == len(NODES), "the nodes join")
            for node in NODES:
                self._wait(partial(self._enrolled, node), f"{node} is enrolled")
            self._say(f"{' '.join(NODES)} enrolled", f"{time.monotonic() - self._began:.1f} s")
            received, slowest = self._broadcast(master)
        logs = [self._logged(node) for node in NODES]
        self._say(f"each node's log:   {logs[0]}")
        conversations, own = self._conversations()
        for line in own:
            self._say(f"the analyzer saw:  {line}")
        return (
            f"demo: {received} of {len(NODES)} nodes received the broadcast in {slowest:.0f} ms; "
            f"analyzerd logged {conversations} conversations"
        )

    def _start(self, daemon: str, host: str, **environ: str) -> None:
        place = self._place(host)
        place.mkdir(exist_ok=True)
        kinds = ("RUNTIME", "LOG", "STATE", "CONFIG")
        environ |= {f"NETCRIER_{kind}_DIR": str(place / kind.lower()) for kind in kinds}
        with (place / "stderr").open("wb") as stderr:
            self._processes[host] = self._lab.spawn(
                host,
                [sys.executable, "-m", f"netcrier.{daemon}"],
                env={**environ, "NETCRIER_NAME": host},
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )

    def _place(self, host: str) -> Path:
        return self._lab.scratch / host

    def _client(self, daemon: str, host: str) -> Client:
        """A connection as soon as the daemon answers."""
        found: list[Client] = []

        def answers() -> bool:
            try:
                found.append(Client(self._place(host) / "runtime" / f"{daemon}.sock", PATIENCE))
            except ControlError:
                if self._processes[host].poll() is not None:
                    said = (self._place(host) / "stderr").read_text().strip()
                    raise NetcrierError(f"{daemon} on {host} ended: {said[-300:]}") from None
            return bool(found)

        self._wait(answers, f"{daemon} on {host} answers")
        return found[0]

    def _enrolled(self, node: str) -> bool:
        with self._client("noded", node) as client:
            return client.call(NODE_STATUS).state == "enrolled"

    def _broadcast(self, master: Client) -> tuple[int, float]:
        """How many nodes have it, and after how many milliseconds the last one."""
        self._say(f'broadcast "{MESSAGE}"')
        request = BroadcastRequest(body=MESSAGE.encode(), request=os.urandom(16).hex())
        sent = master.call(BROADCAST, request)
        rows = list(master.stream(RECEIPTS_FOLLOW, ReceiptsRequest(sent.id), idle=PATIENCE))
        times = [row.after_ms or 0.0 for row in rows]
        line = "   ".join(f"{row.name} {after:5.1f} ms" for row, after in zip(rows, times, strict=True))
        self._say(f"  {line}", f"{len(rows)} of {sent.expected}")
        if len(rows) != len(NODES):
            raise NetcrierError(f"{len(rows)} of {len(NODES)} nodes received the broadcast")
        return len(rows), max(times)

    def _logged(self, node: str) -> str:
        """The message's line in the node's log."""
        path = self._place(node) / "log" / "noded" / "messages.log"
        self._wait(lambda: path.exists() and bool(path.read_bytes()), f"{node} logs the message")
        line = path.read_text().splitlines()[0]
        if json.loads(line)["text"] != MESSAGE:
            raise NetcrierError(f"{node} logged another message: {line}")
        return line

    def _conversations(self) -> tuple[int, list[str]]:
        """How many conversations analyzerd logged, and the lines of this broadcast and of one receipt."""
        if status := self._processes[HUB].stop(PATIENCE):
            said = (self._place(HUB) / "stderr").read_text().strip()
            raise NetcrierError(f"analyzerd ended with status {status}: {said[-300:]}")
        path = self._place(HUB) / "log" / "analyzerd" / "conn.log"
        lines = path.read_text().splitlines() if path.exists() else []
        records = [(json.loads(line), line) for line in lines]
        down = [line for record, line in records if _carries(record, self._lab.address("master"), 12345)]
        up = [[line for record, line in records if _carries(record, self._lab.address(node), 12346)] for node in NODES]
        if not down or not all(up):
            raise NetcrierError(f"analyzerd logged {len(lines)} conversations, but not those of the broadcast")
        return len(lines), [down[0], up[0][0]]

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                raise NetcrierError(f"not within {PATIENCE:.0f} s: {what}")
            time.sleep(0.02)

    def _say(self, text: str, figure: str = "") -> None:
        self._screen.line(f"{text:<{WIDTH}}  {figure}" if figure else text)
        self._screen.flush()


def _carries(record: dict[str, Any], sender: str, port: int) -> bool:
    """Whether the conversation is Netcrier's, from this sender to this port."""
    return bool(record.get("service") == "netcrier" and record["id.orig_h"] == sender and record["id.resp_p"] == port)


def add(_parser: ArgumentParser) -> None:
    """No arguments of its own."""


def run(session: Session, _args: Namespace) -> Exit:
    """Done only if every node has the broadcast in its log and analyzerd has the conversations of it."""
    with Lab(["master", *NODES]) as lab:
        session.screen.line(Demo(lab, session.screen).run())
    return Exit.DONE
