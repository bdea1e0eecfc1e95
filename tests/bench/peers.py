"""The peers beside us, on the same private network: serf's events and uftp's files.

Serf: the time from the call of `serf event` until the last agent's log says that it received the event. uftp: the time
of the `uftp` command, which ends when every client has said that it has the file; its rate is what ours starts at.
"""

from __future__ import annotations

import os
import re
import selectors
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from netcrier.errors import NetcrierError
from netcrier_ctl.lab import Lab, Process

START_LIMIT = 60.0
EVENT_LIMIT = 30.0
UFTP_RATE = 100_000  # kbit/s
NO_NAMES = ["unshare", "--mount", "sh", "-c", 'mount --bind /dev/null /etc/resolv.conf && exec "$0" "$@"']
"""Words before a command that keep its questions for host names from waiting for a server that is not there."""

_COMPLETED = re.compile(rb"Host: \S+\s+Status: Completed")


class Serf:
    """Agents on every host but the first, which has one too and sends."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._selector = selectors.DefaultSelector()
        self._agents: list[Process] = []

    def start(self) -> None:
        """Until every agent knows all others."""
        neighbours(self._lab)
        first = self._lab.address(self._lab.hosts[0])
        for host in self._lab.hosts:
            join = [] if host == self._lab.hosts[0] else [f"-retry-join={first}", "-retry-interval=1s"]
            words = ["serf", "agent", f"-node={host}", f"-bind={self._lab.address(host)}", *join]
            agent = self._lab.spawn(host, words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self._agents.append(agent)
            assert agent.runner.stdout is not None
            os.set_blocking(agent.runner.stdout.fileno(), False)
            self._selector.register(agent.runner.stdout, selectors.EVENT_READ, host)
        end = time.monotonic() + START_LIMIT
        while self._members() < len(self._lab.hosts):
            self._lines(0.2)
            if time.monotonic() > end:
                raise NetcrierError(f"serf: {self._members()} of {len(self._lab.hosts)} members")

    def event(self, name: str, payload: str) -> dict[str, float]:
        """Seconds until each host's agent has the event; hosts that never had it lack."""
        self._lines(0.0)
        began = time.monotonic()
        words = [*self._lab.enter(self._lab.hosts[0]), "serf", "event", "-coalesce=false", name, payload]
        with subprocess.Popen(words, stdout=subprocess.DEVNULL) as command:
            found: dict[str, float] = {}
            while len(found) < len(self._lab.hosts) and time.monotonic() < began + EVENT_LIMIT:
                for host, at, text in self._lines(0.1):
                    if f"user-event: {name}".encode() in text:
                        found.setdefault(host, at - began)
            command.wait()
        return found

    def close(self) -> None:
        """Forget the pipes; the lab ends the agents."""
        self._selector.close()

    def _members(self) -> int:
        done = self._lab.run(self._lab.hosts[0], ["serf", "members", "-status=alive"])
        return len(done.stdout.splitlines())

    def _lines(self, wait: float) -> Iterator[tuple[str, float, bytes]]:
        """What agents have logged, with the time at which it was read."""
        found = []
        for key, _ in self._selector.select(wait):
            data = os.read(key.fd, 65536)
            if not data:
                self._selector.unregister(key.fileobj)
            found.append((key.data, time.monotonic(), data))
        return iter(found)


@contextmanager
def serf(lab: Lab) -> Iterator[Serf]:
    """Running agents on all hosts of a lab."""
    peer = Serf(lab)
    try:
        peer.start()
        yield peer
    finally:
        peer.close()


def neighbours(lab: Lab) -> None:
    """Tell every host all others' link addresses: the kernel learns at most a thousand for all namespaces together."""
    links = {host: _link(lab, host) for host in lab.hosts}
    for host in lab.hosts:
        lines = [
            f"neigh replace {lab.address(other)} lladdr {link} nud permanent dev eth0"
            for other, link in links.items()
            if other != host
        ]
        lab.run(host, ["ip", "-batch", "-"], text="\n".join(lines) + "\n")


def _link(lab: Lab, host: str) -> str:
    return lab.run(host, ["ip", "-o", "link", "show", "eth0"]).stdout.split("link/ether ")[1].split()[0]


def uftp(lab: Lab, size: int, runs: int, *, listed: bool) -> list[float]:
    """Seconds of each transfer of a file of this size from the first host to all others. Raises NetcrierError.

    With `listed` it is told which clients there are; else it waits, as it does by default, for any to announce itself.
    """
    server, *clients = lab.hosts
    source = lab.scratch / "file"
    for host in clients:
        place = lab.scratch / f"uftp-{host}"
        place.mkdir(exist_ok=True)
        words = [*NO_NAMES, "uftpd", "-d", "-I", "eth0", "-D", str(place), "-L", str(place / "log")]
        lab.spawn(host, words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(1.0)
    names = ["-H", ",".join(lab.address(host) for host in clients)] if listed else []
    times = []
    for _ in range(runs):
        source.write_bytes(os.urandom(size))
        began = time.monotonic()
        words = [*lab.enter(server), *NO_NAMES, "uftp", "-I", "eth0", "-R", str(UFTP_RATE), *names, str(source)]
        done = subprocess.run(words, capture_output=True, timeout=120, check=False)
        times.append(time.monotonic() - began)
        completed = len(_COMPLETED.findall(done.stdout + done.stderr))
        if completed != len(clients):
            raise NetcrierError(f"uftp: {completed} of {len(clients)} completed")
    return times
