"""netctl demo: true, quick, and gone afterwards."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.site import eventually

DEMO = [str(Path(sys.executable).with_name("netctl")), "demo"]
LAST = re.compile(r"demo: 4 of 4 nodes received the broadcast in \d+ ms; analyzerd logged (\d+) conversations")


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a short name: sockets are below it."""
    with tempfile.TemporaryDirectory(prefix="nc-") as name:
        yield Path(name)


def daemons_of(place: Path) -> list[str]:
    """Command lines of daemons whose directories are below `place`."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            environ, words = (entry / "environ").read_bytes(), (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if entry.name.isdigit() and b"netcrier." in words and str(place).encode() in environ:
            found.append(words.replace(b"\0", b" ").decode())
    return found


def test_the_demo_ends_with_a_true_line_within_15_seconds(place: Path) -> None:
    began = time.monotonic()
    done = subprocess.run(DEMO, env=_environ(place), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert time.monotonic() - began < 15
    last = LAST.fullmatch(done.stdout.splitlines()[-1])
    assert last, done.stdout
    assert int(last.group(1)) >= 5, "the broadcast and four nodes' receipts"
    assert list(place.iterdir()) == []


def test_nothing_of_the_demo_stays_after_ctrl_c_or_a_kill(place: Path) -> None:
    for number in (signal.SIGINT, signal.SIGKILL):
        with subprocess.Popen(DEMO, env=_environ(place), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as demo:
            eventually(lambda: len(daemons_of(place)) >= 3, "the daemons run")
            demo.send_signal(number)
            demo.wait(10)
        eventually(lambda: daemons_of(place) == [], "the daemons are gone")
        eventually(lambda: list(place.iterdir()) == [], "the scratch directory is gone")


def _environ(place: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(place)}
