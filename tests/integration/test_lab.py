"""The private network: what it joins, what it drops, and that nothing of it stays."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import netcrier
import netcrier_ctl
import pytest
from netcrier.errors import CapabilityError, UsageError
from netcrier_ctl.lab import HUB, Lab, namespace

SEND = """
import socket, sys
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
for number in range(int(sys.argv[2])):
    out.sendto(b"%d" % number, (sys.argv[1], 12345))
"""
COUNT = """
import socket
inn = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
inn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
inn.bind(("", 12345))
print("ready", flush=True)
inn.settimeout(1.0)
got = 0
try:
    while True:
        inn.recv(2048)
        got += 1
except TimeoutError:
    print(got, flush=True)
"""
CRASH = """
import os, sys
from netcrier_ctl.lab import Lab
lab = Lab(["a", "b"])
lab.__enter__()
program = lab.spawn("a", ["sleep", "60"])
(lab.scratch / "file").write_text("x")
print(lab._open.pid, program.pid, lab.scratch, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(["a", "b", "c"]) as lab:
        yield lab


def gone(check: Callable[[], bool], limit: float = 5.0) -> bool:
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if check():
            return True
        time.sleep(0.01)
    return False


def listener(lab: Lab, host: str) -> subprocess.Popen[bytes]:
    runner = lab.spawn(host, [sys.executable, "-c", COUNT], stdout=subprocess.PIPE).runner
    assert runner.stdout is not None
    assert runner.stdout.readline() == b"ready\n"
    return runner


def heard(runner: subprocess.Popen[bytes]) -> int:
    assert runner.stdout is not None
    with runner.stdout as answer:
        return int(answer.read())


def test_directed_broadcast_reaches_every_other_host_at_once(lab: Lab) -> None:
    listeners = [listener(lab, host) for host in ("b", "c")]
    lab.run("a", [sys.executable, "-c", SEND, "10.77.0.255", "5"])
    assert [heard(one) for one in listeners] == [5, 5]


def test_loss_drops_about_its_share_of_datagrams_for_each_receiver_by_itself(lab: Lab) -> None:
    lab.loss(20)
    listeners = [listener(lab, host) for host in ("b", "c")]
    lab.run("a", [sys.executable, "-c", SEND, "10.77.0.255", "2000"])
    counts = [heard(one) for one in listeners]
    assert all(1450 < count < 1750 for count in counts), counts  # 1600 expected, six standard deviations are 107


def test_loss_also_holds_for_unicast_back_and_can_be_ended(lab: Lab) -> None:
    lab.loss(99.99)
    silent = listener(lab, "a")
    lab.run("b", [sys.executable, "-c", SEND, lab.address("a"), "3"])
    assert heard(silent) == 0
    lab.loss(0)
    again = listener(lab, "a")
    lab.run("b", [sys.executable, "-c", SEND, lab.address("a"), "3"])
    assert heard(again) == 3


def test_a_partitioned_host_hears_nothing_until_it_is_healed(lab: Lab) -> None:
    lab.partition("b")
    cut = listener(lab, "b")
    lab.run("a", [sys.executable, "-c", SEND, "10.77.0.255", "3"])
    assert heard(cut) == 0
    lab.heal("b")
    back = listener(lab, "b")
    lab.run("a", [sys.executable, "-c", SEND, "10.77.0.255", "3"])
    assert heard(back) == 3


def test_kill_ends_the_program_itself_and_its_signal_is_its_status(lab: Lab) -> None:
    program = lab.spawn("a", [sys.executable, "-c", "import time; time.sleep(60)"])
    assert program.pid != program.runner.pid
    program.kill(signal.SIGKILL)
    assert program.wait() == -signal.SIGKILL


def test_exit_status_of_a_program_is_passed_on(lab: Lab) -> None:
    assert lab.spawn("a", [sys.executable, "-c", "raise SystemExit(77)"]).wait() == 77


def test_a_host_sees_its_own_interface_and_the_hub_the_bridge(lab: Lab) -> None:
    ask = [sys.executable, "-c", "import socket; print(*(n for _, n in socket.if_nameindex()))"]
    assert lab.run("a", ask).stdout.split() == ["lo", "eth0"]
    assert "br0" in lab.run(HUB, ask).stdout.split()


def test_closing_ends_every_program_and_removes_the_scratch_directory() -> None:
    with Lab(["a"]) as lab:
        program = lab.spawn("a", ["sleep", "60"])
        scratch = lab.scratch
        (scratch / "file").write_text("x")
    assert program.poll() == -signal.SIGKILL
    assert not Path(f"/proc/{program.pid}").exists()
    assert not scratch.exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_crash_of_the_owner_leaves_no_process_and_no_namespace(number: signal.Signals) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", CRASH], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    with owner:
        assert owner.stdout is not None
        holder, program, scratch = owner.stdout.readline().decode().split()
        nets = {readlink(Path("/proc", pid, "ns/net")) for pid in (holder, program)}
        assert len(nets) == 2
        owner.send_signal(number)
    assert gone(lambda: not Path("/proc", holder).exists() and not Path("/proc", program).exists())
    assert gone(lambda: not Path(scratch).exists())
    assert not nets & {link for path in Path("/proc").glob("[0-9]*/ns/net") if (link := readlink(path))}


def readlink(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""


def test_hundred_hosts_stand_within_ten_seconds() -> None:
    start = time.monotonic()
    with Lab([f"h{number}" for number in range(100)]) as lab:
        assert lab.address("h99") == "10.77.0.100"
        assert time.monotonic() - start < 10


def test_the_lab_stands_without_root_in_a_user_namespace() -> None:
    """As the user `nobody` with a copy of the sources, or as the caller where that is no root."""
    script = (
        "from netcrier_ctl.lab import Lab\n"
        "with Lab(['a', 'b']) as lab:\n"
        "    print(lab.user_namespace, lab.run('a', ['ip', '-o', 'address', 'show', 'eth0']).stdout)\n"
        "    lab.loss(5)\n"
        "    print('pid', lab.spawn('b', ['sleep', '60']).pid > 0)\n"
    )
    python, words = sys.executable, []
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        words = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
        python = "/usr/bin/python3"  # the interpreter of the environment may be in a home that nobody may not enter
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        for package in (netcrier, netcrier_ctl):
            origin = Path(str(package.__file__)).parent
            shutil.copytree(origin, place / origin.name, ignore=shutil.ignore_patterns("__pycache__"))
        done = subprocess.run(
            [*words, python, "-B", "-c", script],
            env={"PYTHONPATH": str(place), "PATH": "/usr/bin:/bin", "TMPDIR": "/tmp"},  # noqa: S108 - the user's own
            cwd="/",
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    if "no private network can be made here" in done.stderr:
        pytest.skip(f"needs user namespaces without root: {done.stderr.splitlines()[-1]}")
    assert done.stderr == ""
    assert done.stdout.startswith("True ")
    assert "10.77.0.1/24 brd 10.77.0.255" in done.stdout
    assert "pid True" in done.stdout


def test_where_neither_root_nor_user_namespaces_are_allowed_the_error_says_what_to_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(namespace, "tool", lambda _: "/bin/false")
    monkeypatch.setattr(namespace, "_setting", lambda name: {"user/max_user_namespaces": "0"}.get(name))
    with pytest.raises(CapabilityError, match=r"sysctl -w user\.max_user_namespaces=10000"):
        Lab(["a"]).__enter__()
    monkeypatch.setattr(namespace, "_setting", lambda _: None)
    with pytest.raises(CapabilityError, match="run it as root"):
        Lab(["a"]).__enter__()


def test_an_unknown_host_is_named_in_the_error(lab: Lab) -> None:
    with pytest.raises(UsageError, match="no host 'z'"):
        lab.address("z")
