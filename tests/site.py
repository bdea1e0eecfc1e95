"""A site for integration tests: real daemons in real namespaces, each with directories of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from netcrier.control.client import Client
from netcrier.control.failures import ControlError
from netcrier.control.types.broadcast import BroadcastRequest, ReceiptsRequest, Sent, SentMessagesRequest
from netcrier.control.types.master import MasterStatus
from netcrier.control.types.node import NodeStatus
from netcrier_ctl.lab import Lab, Process

PATIENCE = 30.0
"""Seconds within which anything that is promised must be true."""


def eventually(condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Wait until it holds; fail with `what` where it does not."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.02)


class Daemon:
    """One daemon on one host; it can be killed and started again on the same directories."""

    def __init__(
        self, lab: Lab, host: str, name: str, place: Path, environ: Mapping[str, str], small_disk: Path | None = None
    ) -> None:
        """`small_disk`: a directory over which the daemon alone sees a tmpfs of half a MiB (`inside` leads there)."""
        self.lab, self.host, self.name, self.place = lab, host, name, place
        self.small_disk = small_disk
        self.environ = {f"NETCRIER_{kind}_DIR": str(place / kind.lower()) for kind in ("LOG", "STATE", "CONFIG")}
        self.sockets = lab.scratch / host  # pytest's own directories are too deep for a socket's path
        self.environ["NETCRIER_RUNTIME_DIR"] = str(self.sockets)
        self.environ |= {"NETCRIER_NAME": host, **environ}
        self.process: Process | None = None
        self.start()

    def start(self) -> None:
        """Start it and wait for its control socket."""
        self.place.mkdir(parents=True, exist_ok=True)
        with (self.place / "stderr").open("ab") as stderr:
            self.process = self.lab.spawn(
                self.host,
                [*self._before(), sys.executable, "-m", f"netcrier.{self.name}"],
                env=self.environ,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )
        eventually(self._answers, f"{self.name} on {self.host} answers: {self.stderr[-400:]}")

    def inside(self, path: Path) -> Path:
        """The file that the daemon sees under `path`."""
        assert self.process
        return Path(f"/proc/{self.process.pid}/root{path}")

    def kill(self) -> None:
        """As a power cut would."""
        assert self.process
        self.process.kill(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """As systemd would; the exit status."""
        assert self.process
        return self.process.stop()

    def client(self) -> Client:
        """A new connection to its control socket."""
        return Client(self.sockets / f"{self.name}.sock", timeout=10)

    def call(self, method: str, params: Any = None) -> Any:
        """One request."""
        with self.client() as client:
            return client.call(method, params)

    @property
    def state(self) -> Path:
        """Its state directory."""
        return self.place / "state" / self.name

    @property
    def stderr(self) -> str:
        """Its service log."""
        path = self.place / "stderr"
        return path.read_text() if path.exists() else ""

    def lines(self, log: str = "messages") -> list[dict[str, Any]]:
        """Its JSON log, whole lines."""
        path = self.place / "log" / self.name / f"{log}.log"
        whole = path.read_text().rpartition("\n")[0] if path.exists() else ""  # the last one may be in the writing
        return [json.loads(line) for line in whole.splitlines()]

    def _before(self) -> list[str]:
        """Words before the command: with a small disk, into a mount namespace of its own."""
        if self.small_disk is None:
            return []
        self.small_disk.mkdir(parents=True, exist_ok=True)
        script = 'mount -t tmpfs -o size=512k tmpfs "$0" && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", script, str(self.small_disk)]

    def _answers(self) -> bool:
        assert self.process
        assert self.process.poll() is None, f"{self.name} on {self.host} ended: {self.stderr[-800:]}"
        try:
            self.call("status")
        except ControlError:
            return False
        return True


class Site:
    """A master and its nodes on one lab."""

    def __init__(self, lab: Lab, place: Path) -> None:
        self.lab, self.place = lab, place
        self.nodes: dict[str, Daemon] = {}

    def start_master(self, small_disk: Path | None = None, **environ: str) -> Daemon:
        """masterd on the host `master`."""
        self.master = Daemon(self.lab, "master", "masterd", self.place / "master", environ, small_disk)
        return self.master

    def start_node(self, host: str, small_disk: Path | None = None, **environ: str) -> Daemon:
        """noded on a host."""
        self.nodes[host] = Daemon(self.lab, host, "noded", self.place / host, environ, small_disk)
        return self.nodes[host]

    def start(self, *hosts: str, **environ: str) -> None:
        """masterd, and on these hosts nodes, of which each takes part; `environ` is for the nodes."""
        self.start_master()
        for host in hosts:
            self.start_node(host, None, **environ)
        self.wait_enrolled()

    def wait_enrolled(self) -> None:
        """Until every node takes part and the master has heard it."""
        for host, node in self.nodes.items():
            eventually(partial(self._enrolled, node), f"{host} is enrolled: {node.stderr[-400:]}")
        eventually(lambda: self.master_status().nodes.here == len(self.nodes), "the master hears all nodes")

    def master_status(self) -> MasterStatus:
        """masterd's status."""
        status = self.master.call("status")
        assert isinstance(status, MasterStatus)
        return status

    def broadcast(self, body: bytes, request: str = "", ttl: float | None = None) -> Sent:
        """Send a message to all."""
        sent = self.master.call("broadcast", BroadcastRequest(body=body, request=request or body.hex(), ttl=ttl))
        assert isinstance(sent, Sent)
        return sent

    def wait_received(self, messages: int) -> None:
        """Until every one of the newest messages has every receipt."""

        def complete() -> bool:
            rows = self.master.call("messages", SentMessagesRequest(limit=messages)).rows
            return len(rows) == messages and all(row.received == row.expected == len(self.nodes) for row in rows)

        eventually(complete, f"{messages} messages are received by {len(self.nodes)} nodes", 2 * PATIENCE)

    def states(self, message: str) -> dict[str, str]:
        """What has become of a message, by the names of its nodes."""
        return {row.name: row.state for row in self.master.call("receipts", ReceiptsRequest(message)).rows}

    def wait_delivered(self, *messages: str) -> None:
        """Until each is delivered at all of its nodes."""
        for message in messages:
            eventually(partial(self._delivered, message), f"#{message} is delivered")

    def wait_logged(self, host: str, *sequences: int) -> None:
        """Until these numbers, and no others, are in the node's log, in this order."""
        eventually(lambda: self.sequences(host) == list(sequences), f"{host} logs {sequences}")

    def sequences(self, host: str) -> list[int]:
        """The numbers in a node's log, in its order."""
        return [line["seq"] for line in self.nodes[host].lines()]

    def _delivered(self, message: str) -> bool:
        return set(self.states(message).values()) == {"delivered"}

    @staticmethod
    def _enrolled(node: Daemon) -> bool:
        status = node.call("status")
        assert isinstance(status, NodeStatus)
        return status.state == "enrolled"


def numbered(nodes: int) -> list[str]:
    """So many hosts: node1, node2 and so on."""
    return [f"node{number}" for number in range(1, nodes + 1)]


@contextmanager
def site(place: Path, *hosts: str, idle: Iterable[str] = (), **environ: str) -> Iterator[Site]:
    """A master and on these hosts nodes that take part; `idle` hosts run nothing; `environ` is for the nodes."""
    with Lab(["master", *hosts, *idle]) as lab:
        here = Site(lab, place)
        here.start(*hosts, **environ)
        yield here
