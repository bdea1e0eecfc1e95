"""netctl simulate: real daemons under loss, a document for programs, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.site import eventually

NETCTL = str(Path(sys.executable).with_name("netctl"))
UNPRIVILEGED = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
"""An ordinary user without any capability."""

KEYS = [
    "schema", "deliveries", "delivered", "duplicates", "false_missing", "last_delivery_ms", "last_receipt_ms",
    "datagrams", "bytes", "cpu_s",
]  # fmt: skip


def simulated(*words: str, prefix: tuple[str, ...] = ()) -> dict[str, Any]:
    """The document of a run that ends well."""
    done = subprocess.run(
        [*prefix, NETCTL, "simulate", "--json", *words], capture_output=True, text=True, timeout=120, check=False
    )
    if prefix and "no private network can be made here" in done.stderr:
        pytest.skip(f"needs user namespaces without root: {done.stderr.splitlines()[-1]}")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert isinstance(document, dict)
    return document


def test_standard_output_is_one_document_with_the_named_keys_first() -> None:
    document = simulated("--nodes", "3", "--count", "4", "--size", "100")
    assert list(document)[: len(KEYS)] == KEYS
    assert document["schema"] == "netctl.simulate/1"
    assert (document["deliveries"], document["delivered"], document["duplicates"]) == (12, 12, 0)
    for name in ("last_delivery_ms", "last_receipt_ms"):
        assert 0 < document[name]["p50"] <= document[name]["p99"] <= document[name]["max"]
    assert document["last_delivery_ms"]["max"] <= document["last_receipt_ms"]["max"]
    assert document["datagrams"] >= 4 + 12, "a broadcast for each message, a report for each delivery"
    assert document["bytes"] >= document["datagrams"] * (14 + 20 + 8)
    assert document["cpu_s"] > document["master_cpu_s"] > 0


def test_under_loss_in_both_directions_every_message_arrives_once_and_costs_more_datagrams() -> None:
    document = simulated("--nodes", "4", "--count", "10", "--loss", "30", "--timeout", "30s")
    assert (document["delivered"], document["duplicates"], document["false_missing"]) == (40, 0, 0)
    assert document["datagrams"] > 10 + 40


def test_it_needs_no_root_where_user_namespaces_are_allowed() -> None:
    document = simulated("--nodes", "2", "--count", "2", prefix=tuple(UNPRIVILEGED))
    assert document["delivered"] == 4


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_stays_after_ctrl_c_or_a_kill(number: signal.Signals) -> None:
    with tempfile.TemporaryDirectory(prefix="nc-") as name:
        place = Path(name)
        words = [NETCTL, "simulate", "--nodes", "3", "--interval", "1s", "--count", "1000", "--state-dir", name]
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as simulation:
            eventually(lambda: len(running(place)) == 4, "four daemons run")
            simulation.send_signal(number)
            assert simulation.wait(10) in (130, -number)
        eventually(lambda: running(place) == [], "the daemons are gone")
        eventually(lambda: list(place.iterdir()) == [], "their state is gone")


def running(place: Path) -> list[int]:
    """Processes that write a message log below `place`."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            links = [str(Path(link).readlink()) for link in (entry / "fd").iterdir()] if entry.name.isdigit() else []
        except OSError:
            continue
        if any(link.startswith(str(place)) and link.endswith("messages.log") for link in links):
            found.append(int(entry.name))
    return found


def test_the_state_directory_is_where_the_disk_is_paid(tmp_path: Path) -> None:
    done = subprocess.run(
        [NETCTL, "simulate", "--nodes", "1", "--count", "1", "--state-dir", str(tmp_path)],
        capture_output=True, text=True, timeout=60, env={**os.environ, "NO_COLOR": "1"}, check=True,
    )  # fmt: skip
    assert f"state in {tmp_path}" in done.stdout
    assert list(tmp_path.iterdir()) == []
