"""The namespaces of a lab, from outside: start the holder, and the command prefix that enters a host.

As root the holder gets namespaces for network and processes; otherwise, or where root may not, a user namespace around
them. Where neither is allowed `CapabilityError` says what to change.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from netcrier.errors import CapabilityError

SYSTEM_PATHS = "/usr/sbin:/sbin:/usr/bin:/bin"  # Debian leaves sbin out of a user's PATH
PACKAGES = {"ip": "iproute2", "nft": "nftables", "unshare": "util-linux", "nsenter": "util-linux"}
START_LIMIT = 10.0  # seconds for the holder to answer
END_LIMIT = 10.0  # seconds for everything to be gone after the pipe is closed
SETTINGS = (  # sysctl, the value that forbids user namespaces, the value that allows them
    ("kernel/unprivileged_userns_clone", "0", "1"),
    ("kernel/apparmor_restrict_unprivileged_userns", "1", "0"),
    ("user/max_user_namespaces", "0", "10000"),
)


def tool(name: str) -> str:
    """The path of a system program. Raises CapabilityError that names its Debian package."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SYSTEM_PATHS}")
    if path is None:
        raise CapabilityError(f"{name} is not installed: apt-get install {PACKAGES[name]}")
    return path


@dataclass(frozen=True, slots=True)
class Holder:
    """A running holder: `runner` is its parent (unshare), `pid` the holder itself, `hosts` its descriptors.

    `sockets` has a short path, as the address of a Unix-domain socket must; `scratch` may be anywhere. Both go with it.
    """

    runner: subprocess.Popen[bytes]
    pid: int
    hosts: tuple[int, ...]
    scratch: Path
    sockets: Path
    user: bool

    def namespace(self, host: int | None) -> str:
        """The path of the network namespace of host number `host`; None is the hub."""
        return f"/proc/{self.pid}/ns/net" if host is None else f"/proc/{self.pid}/fd/{self.hosts[host]}"

    def enter(self, host: int | None) -> list[str]:
        """The words before a command that shall run in host number `host`; None is the hub."""
        user = ["--user", "--preserve-credentials"] if self.user else []
        return [tool("nsenter"), "--target", str(self.pid), *user, "--pid", f"--net={self.namespace(host)}", "--"]

    def close(self) -> None:
        """Close the pipe and wait until the holder has taken everything down."""
        assert self.runner.stdin is not None
        self.runner.stdin.close()
        try:
            self.runner.wait(END_LIMIT)
        except subprocess.TimeoutExpired:
            self.runner.kill()  # --kill-child takes the holder along, and the kernel what is below it
            self.runner.wait()
        finally:
            _remove(self.scratch, self.sockets)


def open_holder(hosts: int, place: Path | None = None) -> Holder:
    """Start a holder with so many hosts' namespaces, and a scratch directory in `place`.

    Raises CapabilityError where the machine allows none.
    """
    complaints = []
    for user in (False, True) if os.geteuid() == 0 else (True,):
        started = _start(hosts, user, place)
        if isinstance(started, Holder):
            return started
        complaints.append(started)
    raise CapabilityError(f"no private network can be made here: {'; '.join(complaints)}\n{_remedy()}")


def _start(hosts: int, user: bool, place: Path | None) -> Holder | str:
    """One attempt; what unshare or the holder complained of where it fails."""
    scratch = Path(tempfile.mkdtemp(prefix="netcrier-lab-", dir=place))
    sockets = Path(tempfile.mkdtemp(prefix="netcrier-run-"))
    words = [tool("unshare"), "--net", "--pid", "--fork", "--kill-child"]
    words += ["--user", "--map-root-user"] if user else []
    script = Path(__file__).with_name("holder.py")
    runner = subprocess.Popen(
        [*words, "--", sys.executable, "-I", "-S", str(script), str(hosts), str(scratch), str(sockets)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the lab, which then closes the pipe
    )
    assert runner.stdout is not None
    assert runner.stderr is not None
    readable, _, _ = select.select([runner.stdout], [], [], START_LIMIT)
    line = runner.stdout.readline() if readable else b""
    runner.stdout.close()
    if line:
        runner.stderr.close()
        answer = json.loads(line)
        return Holder(runner, answer["pid"], tuple(answer["hosts"]), scratch, sockets, user)
    runner.kill()
    complaint = runner.stderr.read().decode(errors="replace").strip().splitlines()
    runner.stderr.close()
    assert runner.stdin is not None
    runner.stdin.close()
    runner.wait()
    _remove(scratch, sockets)
    return complaint[-1] if complaint else f"no answer within {START_LIMIT:.0f} s"


def _remove(*directories: Path) -> None:
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)


def _remedy() -> str:
    """What to change so that a lab is allowed, from the settings that this kernel has."""
    remedies = [
        f"sudo sysctl -w {name.replace('/', '.')}={allowed}"
        for name, forbidden, allowed in SETTINGS
        if _setting(name) == forbidden
    ]
    if remedies:
        return "allow user namespaces: " + " && ".join(remedies)
    return (
        "run it as root, or in a container with --cap-add SYS_ADMIN --cap-add NET_ADMIN"
        " --security-opt seccomp=unconfined --security-opt apparmor=unconfined"
    )


def _setting(name: str) -> str | None:
    try:
        return Path("/proc/sys", name).read_text().strip()
    except OSError:
        return None
