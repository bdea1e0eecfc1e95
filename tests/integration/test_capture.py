"""Live capture: a real analyzerd on the ring, in a network namespace of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
set -e
ip link set lo up
ip link add left type veth peer name right
ip link set left up
ip link set right up
ip addr add 10.9.0.1/24 dev left
"$PYTHON" -m netcrier.analyzerd --interface lo --interface left & daemon=$!
"$PYTHON" - <<'END'
import os, socket, time
from pathlib import Path
from netcrier.control.client import Client
path = Path(os.environ["NETCRIER_RUNTIME_DIR"], "analyzerd.sock")
deadline = time.monotonic() + 10
while not path.exists() and time.monotonic() < deadline:
    time.sleep(0.02)
listener = socket.create_server(("127.0.0.1", 7777))
for _ in range(20):
    client = socket.create_connection(("127.0.0.1", 7777))
    server, _ = listener.accept()
    client.sendall(b"x" * 5000)
    client.close()
    while server.recv(65536):
        pass
    server.close()
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
sender.bind(("10.9.0.1", 12346))
sender.sendto(b"NC" + bytes([1]) + b"hello", ("10.9.0.255", 12345))
seen = None
while time.monotonic() < deadline:
    seen = Client(path, 5.0).call("status", None)
    if seen.conversations >= 21:
        break
    time.sleep(0.05)
assert seen.received == seen.analysed + seen.filtered + seen.dropped + seen.undecodable, seen
assert {one.name for one in seen.interfaces} == {"lo", "left"}, seen
END
kill -TERM $daemon
wait $daemon
"""

UNSHARE = shutil.which("unshare") or "unshare"

needs_namespaces = pytest.mark.skipif(
    not shutil.which("ip")
    or subprocess.run([UNSHARE, "-Urnm", "true"], capture_output=True, check=False).returncode != 0,
    reason="needs ip and network namespaces",
)


@needs_namespaces
def test_what_crosses_an_interface_is_logged_once_when_the_daemon_ends(tmp_path: Path) -> None:
    for name in ("run", "log", "state", "etc"):
        (tmp_path / name).mkdir()
    places = {"RUNTIME": "run", "LOG": "log", "STATE": "state", "CONFIG": "etc"}
    environ = {f"NETCRIER_{key}_DIR": str(tmp_path / value) for key, value in places.items()}
    command = [UNSHARE, "-Urnm", "--kill-child", "--fork", "sh", "-c", SCRIPT]
    done = subprocess.run(
        command,
        env={**os.environ, **environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [json.loads(line) for line in (tmp_path / "log/analyzerd/conn.log").read_text().splitlines()]
    talks = [row for row in rows if row["proto"] == "tcp"]
    assert [(row["conn_state"], row["orig_bytes"], row["resp_bytes"]) for row in talks] == [("SF", 5000, 0)] * 20
    (broadcast,) = [row for row in rows if row.get("service") == "netcrier"]
    assert (broadcast["id.resp_h"], broadcast["id.resp_p"], broadcast["orig_pkts"]) == ("10.9.0.255", 12345, 1)
    assert broadcast["interface"] == "left"


@needs_namespaces
def test_without_the_right_to_capture_it_says_the_command_that_gives_it(tmp_path: Path) -> None:
    environ = {f"NETCRIER_{name}_DIR": str(tmp_path) for name in ("RUNTIME", "LOG", "STATE", "CONFIG")}
    script = (
        "ip link set lo up;"
        'exec setpriv --bounding-set -all --inh-caps -all "$PYTHON" -m netcrier.analyzerd --interface lo'
    )
    done = subprocess.run(
        [UNSHARE, "-Urnm", "sh", "-c", script],
        env={**os.environ, **environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 77, done.stderr
    assert "setcap cap_net_raw+ep" in done.stderr
