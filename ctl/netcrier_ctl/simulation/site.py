"""The daemons of a simulation: one masterd and many nodeds, each on a host of the lab, with directories of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from netcrier.control.client import Client
from netcrier.control.failures import ControlError
from netcrier.control.methods import MASTER_STATUS
from netcrier.errors import NetcrierError

from netcrier_ctl.lab import HUB, Lab, Nursery
from netcrier_ctl.simulation.plan import Plan

MASTER = "master"
MODULES = ("netcrier.masterd.__main__", "netcrier.noded.__main__")
WARM = (*MODULES, "netcrier.masterd.app", "netcrier.noded.app", "netcrier.runtime.service", "encodings.idna")
"""Imported once, before the forks."""

CHECK = 0.02  # seconds between two looks
STEP_LIMIT = 20.0  # seconds for the master to answer
JOIN_LIMIT = 30.0  # seconds for the nodes to join, and a quarter more for each (a master lets in 20 a second)


def host_names(plan: Plan) -> list[str]:
    """The master's, then the nodes'."""
    return [MASTER, *(f"node{number}" for number in range(1, plan.nodes + 1))]


class Site:
    """The running daemons."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.pids: dict[str, int] = {}

    @property
    def nodes(self) -> list[str]:
        """The nodes' hosts."""
        return [host for host in self.pids if host != MASTER]

    def start(self, progress: Callable[[str], None]) -> Client:
        """Start all and wait until the master hears every node; a connection to the master. Raises NetcrierError."""
        nodes = [host for host in self._lab.hosts if host != MASTER]
        with Nursery(self._lab, WARM, HUB) as nursery:
            self._fork(nursery, MASTER, MODULES[0])
            client = self._connected()
            for host in nodes:
                self._fork(nursery, host, MODULES[1])

        def joined() -> bool:
            here = client.call(MASTER_STATUS).nodes.here
            progress(f"{here} of {len(nodes)} nodes enrolled")
            return here == len(nodes)

        self._wait(joined, JOIN_LIMIT + len(nodes) / 4, f"{len(nodes)} nodes join")
        return client

    def log(self, host: str) -> Path:
        """The host's message log."""
        return self._place(host) / "log" / self._daemon(host) / "messages.log"

    def complaint(self) -> str | None:
        """What a daemon that has ended said last; None while all run."""
        for host, pid in self.pids.items():
            if not Path("/proc", str(pid)).exists():
                return f"{self._daemon(host)} on {host} ended: {self._said(host)}"
        return None

    def _fork(self, nursery: Nursery, host: str, module: str) -> None:
        place = self._place(host)
        place.mkdir()
        environ = {f"NETCRIER_{kind}_DIR": str(place / kind.lower()) for kind in ("LOG", "STATE", "CONFIG")}
        environ |= {"NETCRIER_RUNTIME_DIR": str(self._lab.sockets / host), "NETCRIER_NAME": host}
        self.pids[host] = nursery.start(host, module, environ, place / "stderr")

    def _connected(self) -> Client:
        found: list[Client] = []

        def answers() -> bool:
            try:
                found.append(Client(self._lab.sockets / MASTER / "masterd.sock", STEP_LIMIT))
            except ControlError:
                return False
            return True

        self._wait(answers, STEP_LIMIT, "masterd answers")
        return found[0]

    def _wait(self, condition: Callable[[], bool], limit: float, what: str) -> None:
        end = time.monotonic() + limit
        while not condition():
            if complaint := self.complaint():
                raise NetcrierError(complaint)
            if time.monotonic() > end:
                raise NetcrierError(f"not within {limit:.0f} s: {what}")
            time.sleep(CHECK)

    def _place(self, host: str) -> Path:
        return self._lab.scratch / host

    def _said(self, host: str) -> str:
        return (self._place(host) / "stderr").read_text(errors="replace").strip()[-300:]

    @staticmethod
    def _daemon(host: str) -> str:
        return "masterd" if host == MASTER else "noded"
