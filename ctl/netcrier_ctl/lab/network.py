"""The lab itself: hosts on one bridge, programs on hosts, loss and partition.

Addresses are 10.77.0.0/24: the first host is .1 and so on, each on its `eth0`. The hub is a host without an address:
its `br0` sees every frame, also those that `loss` drops afterwards on their way to a host. /sys shows the machine's
interfaces, not the host's (it belongs to the mount namespace, which is shared): ask the kernel by socket.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

from netcrier.errors import NetcrierError, UsageError

from netcrier_ctl.lab.namespace import Holder, open_holder, tool
from netcrier_ctl.lab.process import Process

HUB = "hub"
BRIDGE = "br0"
HOST_LIMIT = 254  # addresses of the /24
NETWORK = "10.77.0"
FIRST_PORT = 1000  # index of the first port: the kernel delays by 1 s the link of a veth whose ends share an index

Stream = int | IO[bytes] | None

LOSS_RULES = """
table bridge lab
delete table bridge lab
table bridge lab {{
    chain forward {{
        type filter hook forward priority 0;
        meta l4proto udp numgen random mod 10000 < {share} drop
    }}
}}
"""


class Lab:
    """A network that lives as long as the `with` block, and never longer than the process that opened it."""

    def __init__(self, hosts: Sequence[str], place: Path | None = None) -> None:
        """`place`: where the scratch directory is made; by default where temporary files go."""
        if len(set(hosts)) != len(hosts) or HUB in hosts:
            raise UsageError(f"host names of a lab are unique and none is {HUB!r}")
        if len(hosts) > HOST_LIMIT:
            raise UsageError(f"a lab has at most {HOST_LIMIT} hosts")
        self.hosts = tuple(hosts)
        self._place = place
        self._numbers = {name: number for number, name in enumerate(hosts)}
        self._holder: Holder | None = None
        self._processes: list[Process] = []
        self._cables = 0

    def __enter__(self) -> Lab:
        self._holder = open_holder(len(self.hosts), self._place)
        try:
            self._wire()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take everything down: programs (SIGKILL), namespaces, scratch directory. A second call does nothing."""
        if self._holder is None:
            return
        holder, self._holder = self._holder, None
        holder.close()
        for process in self._processes:
            process.wait()

    @property
    def scratch(self) -> Path:
        """A directory that goes with the lab, also after a crash."""
        return self._open.scratch

    @property
    def sockets(self) -> Path:
        """A directory with a short path, for Unix-domain sockets; it goes as the scratch directory does."""
        return self._open.sockets

    @property
    def user_namespace(self) -> bool:
        """Whether the lab stands in a user namespace (made without root)."""
        return self._open.user

    def address(self, host: str) -> str:
        """The IPv4 address of a host."""
        return f"{NETWORK}.{self._number(host) + 1}"

    def enter(self, host: str) -> list[str]:
        """The words before a command that shall run on a host."""
        return self._open.enter(None if host == HUB else self._number(host))

    def namespace(self, host: str) -> str:
        """The path of a host's network namespace."""
        return self._open.namespace(None if host == HUB else self._number(host))

    def spawn(
        self,
        host: str,
        words: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdout: Stream = None,
        stderr: Stream = None,
    ) -> Process:
        """Start a program on a host. `env` is added to the caller's environment; standard input is empty."""
        runner = subprocess.Popen(
            [*self.enter(host), *words],
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        process = Process(host, runner)
        self._processes.append(process)
        return process

    def run(
        self,
        host: str,
        words: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        text: str | None = None,
        timeout: float = 30.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program on a host to its end, with `text` on standard input; output is captured."""
        return subprocess.run(
            [*self.enter(host), *words],
            env={**os.environ, **(env or {})},
            input=text or "",
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def loss(self, percent: float) -> None:
        """Drop this share of UDP datagrams at the hub, each copy by itself, both ways. 0 ends it, 100 is 99.99."""
        rules = LOSS_RULES.format(share=min(round(percent * 100), 9999))
        self._do(HUB, [tool("nft"), "-f", "-"], rules)

    def partition(self, host: str) -> None:
        """Cut a host off: its port at the hub goes down."""
        self._ip(HUB, [f"link set p{self._number(host)} down"])

    def heal(self, host: str) -> None:
        """Undo `partition`."""
        self._ip(HUB, [f"link set p{self._number(host)} up"])

    def cable(self, host: str, interface: str, bridge: str) -> None:
        """Give a host one more interface, up and without addresses, on a bridge of the hub (made where it lacks)."""
        number, holder = self._number(host), self._open
        self._cables += 1
        port = f"{bridge}p{number}"
        peer = f"peer name {interface} netns /proc/{holder.pid}/fd/{holder.hosts[number]}"
        if self.run(HUB, [tool("ip"), "link", "show", bridge]).returncode:
            self._ip(HUB, [f"link add {bridge} type bridge", f"link set {bridge} up"])
        self._ip(
            HUB,
            [
                f"link add {port} index {FIRST_PORT + HOST_LIMIT + self._cables} type veth {peer}",
                f"link set {port} addrgenmode none",
                f"link set {port} master {bridge}",
                f"link set {port} up",
            ],
        )
        self._ip(host, [f"link set {interface} addrgenmode none", f"link set {interface} up"])

    def _wire(self) -> None:
        """Join every host to the bridge: one batch on the hub, one on each host."""
        holder = self._open
        hub = ["link set lo up", f"link add {BRIDGE} type bridge"]
        hub += [f"link set {BRIDGE} addrgenmode none", f"link set {BRIDGE} up"]
        for number, there in enumerate(holder.hosts):
            port, address = f"p{number}", f"02:4e:43:00:00:{number + 1:02x}"
            peer = f"peer name eth0 address {address} netns /proc/{holder.pid}/fd/{there}"
            hub += [
                f"link add {port} index {FIRST_PORT + number} type veth {peer}",
                f"link set {port} addrgenmode none",
                f"link set {port} master {BRIDGE}",
                f"link set {port} up",
            ]
        self._ip(HUB, hub)
        for host in self.hosts:
            self._ip(
                host,
                [
                    "link set lo up",
                    "link set eth0 addrgenmode none",
                    f"address add {self.address(host)}/24 broadcast {NETWORK}.255 dev eth0",
                    "link set eth0 up",
                    "route add default dev eth0",
                ],
            )

    def _ip(self, host: str, lines: Sequence[str]) -> None:
        self._do(host, [tool("ip"), "-batch", "-"], "\n".join(lines) + "\n")

    def _do(self, host: str, words: Sequence[str], text: str) -> None:
        done = self.run(host, words, text=text)
        if done.returncode:
            raise NetcrierError(f"{Path(words[0]).name} failed on {host}: {done.stderr.strip()}")

    def _number(self, host: str) -> int:
        try:
            return self._numbers[host]
        except KeyError:
            raise UsageError(f"no host {host!r} in this lab: {', '.join(self.hosts)}") from None

    @property
    def _open(self) -> Holder:
        if self._holder is None:
            raise UsageError("the lab is not open")
        return self._holder
