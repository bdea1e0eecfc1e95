"""Messages of 1 MiB, with real processes: under loss, with kill -9 on either side, beside small and urgent ones."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from netcrier.control.failures import Refused
from netcrier.control.types.broadcast import BroadcastRequest, Sent
from netcrier.control.types.shared import BodyRequest
from netcrier.wire.limits import ASSEMBLY_MAX, MESSAGE_MAX
from netcrier_ctl.lab import Lab

from tests.site import Site, eventually, numbered, site


def send(here: Site, body: bytes, lane: int = 0) -> Sent:
    sent = here.master.call("broadcast", BroadcastRequest(body=body, request=os.urandom(8).hex(), lane=lane))
    assert isinstance(sent, Sent)
    return sent


def hashes(here: Site, host: str) -> list[tuple[str, str]]:
    """(id, sha256) of the lines in a node's log."""
    return [(line["id"], line["sha256"]) for line in here.nodes[host].lines()]


@pytest.mark.parametrize("loss", [0, 20])
def test_a_mebibyte_reaches_ten_nodes_whole_and_once(tmp_path: Path, loss: int) -> None:
    with site(tmp_path, *numbered(10)) as here:
        here.lab.loss(loss)
        body = os.urandom(MESSAGE_MAX)
        sent = send(here, body)
        here.wait_received(1)
        for host, node in here.nodes.items():
            here.wait_logged(host, 1)
            assert hashes(here, host) == [(sent.id, sha256(body).hexdigest())]
            (line,) = node.lines()
            assert (line["size"], line["cut"], len(line["body_b64"]) < 22_000) == (MESSAGE_MAX, True, True)
            assert node.call("message.body", BodyRequest(sent.id)).body == body
        assert here.master.call("message.body", BodyRequest(sent.id)).body == body
        rate = here.master_status().rate
        assert (rate.loss_percent or 0) > 1 or not loss


@pytest.mark.parametrize("victim", ["node", "master"])
def test_kill_9_in_the_middle_loses_and_repeats_nothing(tmp_path: Path, victim: str) -> None:
    with site(tmp_path, *numbered(3)) as here:
        bodies = [os.urandom(MESSAGE_MAX) for _ in range(3)]
        for body in bodies:
            send(here, body)
        daemon = here.master if victim == "master" else here.nodes["node2"]
        daemon.kill()
        daemon.start()
        here.wait_received(3)
        wanted = [(str(number), sha256(body).hexdigest()) for number, body in enumerate(bodies, 1)]
        for host in here.nodes:
            here.wait_logged(host, 1, 2, 3)
            assert hashes(here, host) == wanted


def test_small_and_big_messages_keep_the_order_of_their_lanes_each_exactly_once(tmp_path: Path) -> None:
    with site(tmp_path, *numbered(3)) as here:
        here.lab.loss(5)
        bodies = [[os.urandom(size) for size in (10, MESSAGE_MAX, 20, MESSAGE_MAX, 3000)], [b"now", os.urandom(50_000)]]
        for lane in (0, 1):
            for body in bodies[lane]:
                send(here, body, lane)
        here.wait_received(7)
        eventually(lambda: all(len(hashes(here, host)) == 7 for host in here.nodes), "every node has all")
        for host in here.nodes:
            found = hashes(here, host)
            queue = [line for line in found if not line[0].startswith("u")]
            urgent = [line for line in found if line[0].startswith("u")]
            assert queue == [(str(number), sha256(body).hexdigest()) for number, body in enumerate(bodies[0], 1)]
            assert urgent == [(f"u{number}", sha256(body).hexdigest()) for number, body in enumerate(bodies[1], 1)]


def test_more_than_a_mebibyte_is_refused_with_the_limit_everywhere(tmp_path: Path) -> None:
    with Lab(["master"]) as lab:
        here = Site(lab, tmp_path)
        here.start_master()
        with pytest.raises(Refused, match="the limit is 1,048,576 bytes"):
            send(here, bytes(MESSAGE_MAX + 1))
        file = tmp_path / "long"
        file.write_bytes(bytes(ASSEMBLY_MAX))
        environ = os.environ | {"NETCRIER_RUNTIME_DIR": str(here.master.sockets)}
        for word in ("-", f"@{file}"):
            with file.open("rb") as standard_input:
                done = subprocess.run(
                    [sys.executable, "-m", "netcrier_ctl.cli", "broadcast", word],
                    stdin=standard_input, env=environ, capture_output=True, text=True, check=False, timeout=30,
                )  # fmt: skip
            assert done.returncode == 2, done
            assert "1,048,576 bytes" in done.stderr
