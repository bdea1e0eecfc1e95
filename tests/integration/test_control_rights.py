"""Rights as the kernel tells them: client processes of other users and groups."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from netcrier.control.client import Client
from netcrier.control.failures import Broken, ControlError, Impostor

from tests.control_daemon import CHANGERS_GID, READERS_GID, ControlDaemon

ASK = """
import socket, struct, sys
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[1])
sock.sendall(bytes.fromhex("94 00 01 a5 68656c6c6f 91 80"))
sys.stdout.buffer.write(sock.recv(65536))
"""
"""Says hello with the standard library alone, as the test's user may not read the project."""

NOTHING, READ, CHANGE = b"\xa3may\x90", b"\xa3may\x91\xa4read", b"\xa3may\x92\xa4read\xa6change"


SQUAT = """
import os, socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
sock.listen()
print("ready", flush=True)
with sock.accept()[0] as client:
    print(len(client.recv(65536)), flush=True)
"""
"""Listens on a path and says how much one client told it."""

PYTHON: str = shutil.which("python3", path="/usr/bin:/usr/local/bin") or sys.executable
"""One that other users may run."""


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that other users can enter, as pytest's own are not."""
    path = Path(tempfile.mkdtemp(prefix="nc-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it starts processes of other users")
@pytest.mark.parametrize(
    ("uid", "gid", "more", "may"),
    [
        (0, 0, [], CHANGE),
        (4321, 4321, [], NOTHING),
        (4321, READERS_GID, [], READ),
        (4321, 4321, [READERS_GID], READ),
        (4321, 4321, [5000 + number for number in range(300)] + [CHANGERS_GID], CHANGE),
        (65534, READERS_GID, [CHANGERS_GID], NOTHING),
    ],
)
def test_the_daemon_knows_its_caller_from_the_kernel(
    place: Path, uid: int, gid: int, more: list[int], may: bytes
) -> None:
    with ControlDaemon(place / "masterd.sock", real=True) as daemon:
        asked = subprocess.run(
            [PYTHON, "-I", "-c", ASK, str(daemon.path)],
            user=uid, group=gid, extra_groups=more, cwd="/", capture_output=True, timeout=15, check=True,
        )  # fmt: skip
    assert may in asked.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it starts processes of other users")
@pytest.mark.parametrize(("owner", "error"), [(0, Impostor), (4321, Broken)])
def test_a_user_who_takes_the_path_is_no_daemon_unless_the_directory_is_its_own(
    place: Path, owner: int, error: type[ControlError]
) -> None:
    path = place / "noded.sock"
    place.chmod(0o1777)
    os.chown(place, owner, owner)
    words = [PYTHON, "-I", "-c", SQUAT, str(path)]
    with subprocess.Popen(words, user=4321, group=4321, extra_groups=[], cwd="/", stdout=subprocess.PIPE) as squatter:
        assert squatter.stdout is not None
        assert squatter.stdout.readline() == b"ready\n"
        with pytest.raises(ControlError) as caught:
            Client(path, timeout=10)
        heard = int(squatter.stdout.readline())
    assert type(caught.value) is error
    assert (heard > 0) is (error is Broken)
