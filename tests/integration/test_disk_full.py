"""A full disk: the daemons stay up, say so, lose nothing, and go on when there is room again."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from netcrier.control.failures import ControlError, Refused
from netcrier.control.types.broadcast import ReceiptsRequest, SentMessagesRequest
from netcrier_ctl.lab import Lab

from tests.site import Daemon, Site, eventually


def fill(daemon: Daemon) -> None:
    """Take all room that is left on its small disk."""
    assert daemon.small_disk
    with contextlib.suppress(OSError), (daemon.inside(daemon.small_disk) / "filler").open("wb", buffering=0) as filler:
        while filler.write(bytes(4096)):
            pass


def free(daemon: Daemon) -> None:
    """Give it back."""
    assert daemon.small_disk
    (daemon.inside(daemon.small_disk) / "filler").unlink()


def log_numbers(node: Daemon, logs: Path) -> list[int]:
    """The numbers in the node's log."""
    text = node.inside(logs / "noded" / "messages.log").read_text()
    return [json.loads(line)["seq"] for line in text.splitlines()]


def test_a_node_whose_log_disk_is_full_catches_up_without_loss_or_repetition(tmp_path: Path) -> None:
    with Lab(["master", "node1"]) as lab:
        logs = tmp_path / "small"
        here = Site(lab, tmp_path)
        here.start_master()
        node = here.start_node("node1", logs, NETCRIER_LOG_DIR=str(logs))
        here.wait_enrolled()
        here.broadcast(b"before")
        here.wait_received(1)
        fill(node)
        # What was left of the last page may still take a few lines.
        for number in range(20):
            here.broadcast(b"%d " % number + b"x" * 1000)
        here.wait_received(20)
        eventually(lambda: "disk is full" in " ".join(node.call("status").warnings), "the node says so")
        assert len(log_numbers(node, logs)) < 21
        free(node)
        eventually(lambda: log_numbers(node, logs) == list(range(1, 22)), "the log has every message once")
        eventually(lambda: "disk is full" not in " ".join(node.call("status").warnings), "the warning goes")


def test_a_node_that_starts_with_a_full_log_claims_no_line_that_it_has_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Lab(["master", "node1"]) as lab:
        logs = tmp_path / "logs"
        here = Site(lab, tmp_path)
        here.start_master()
        node = here.start_node("node1", NETCRIER_LOG_DIR=str(logs))
        here.wait_enrolled()

        def states() -> list[str]:
            sent = here.master.call("messages", SentMessagesRequest(limit=10)).rows
            rows = [here.master.call("receipts", ReceiptsRequest(row.id)).rows for row in sent]
            return [row.state for (row,) in rows]

        here.broadcast(b"before")
        eventually(lambda: states() == ["delivered"], "the first is logged")
        node.kill()
        full = 'mount -t tmpfs -o size=64k tmpfs "$0"; cat /dev/zero >"$0/filler" 2>&-; exec "$@"'
        with monkeypatch.context() as patch:
            patch.setattr(node, "_before", lambda: ["unshare", "--mount", "sh", "-c", full, str(logs)])
            node.start()
            for number in range(3):
                here.broadcast(b"%d" % number)
            here.wait_received(4)
            node.kill()
            node.start()
            here.broadcast(b"after")
            here.wait_received(5)
            assert states() == ["delivered", *["received"] * 4]
            eventually(lambda: "disk is full" in " ".join(node.call("status").warnings), "the node says so")
            node.kill()
        node.start()
        eventually(lambda: states() == ["delivered"] * 5, "all is logged")
        assert log_numbers(node, logs) == [1, 2, 3, 4, 5]


def test_what_a_full_log_takes_only_after_a_take_over_is_known_as_delivered(tmp_path: Path) -> None:
    with Lab(["master", "node1"]) as lab:
        logs = tmp_path / "small"
        here = Site(lab, tmp_path)
        here.start_master()
        node = here.start_node("node1", logs, NETCRIER_LOG_DIR=str(logs))
        here.wait_enrolled()

        def states() -> list[str]:
            sent = here.master.call("messages", SentMessagesRequest(limit=100)).rows
            return [row.state for one in sent for row in here.master.call("receipts", ReceiptsRequest(one.id)).rows]

        fill(node)
        for number in range(20):
            here.broadcast(b"%d " % number + b"x" * 1000)
        here.wait_received(20)
        here.master.call("master.takeover")

        def speaks() -> bool:
            with contextlib.suppress(ControlError):
                return bool(here.master_status().term == 2 and here.master_status().standing == "speaking")
            return False

        eventually(speaks, "the new term begins")
        here.broadcast(b"in the new term")
        eventually(lambda: states()[-1] == "received", "the node is in the new term")
        assert "received" in states()[:20]
        node.kill()
        node.start()  # on a disk of its own anew, with room
        eventually(lambda: states() == ["delivered"] * 21, "all is logged, and the master knows")
        assert here.master_status().counters.get("rolled back", 0) == 0


def test_a_node_whose_journal_disk_is_full_asks_again_until_there_is_room(tmp_path: Path) -> None:
    with Lab(["master", "node1"]) as lab:
        state = tmp_path / "small"
        here = Site(lab, tmp_path)
        here.start_master()
        node = here.start_node("node1", state, NETCRIER_STATE_DIR=str(state))
        here.wait_enrolled()
        fill(node)
        sent = [here.broadcast(b"%d " % number + b"x" * 1000).sequence for number in range(60)]
        eventually(lambda: "cannot be written" in " ".join(node.call("status").warnings), "the node says so")
        assert len(here.sequences("node1")) < 60
        free(node)
        here.wait_received(60)
        assert here.sequences("node1") == sent


def test_a_master_whose_store_disk_is_full_refuses_and_gives_no_number_twice(tmp_path: Path) -> None:
    with Lab(["master", "node1"]) as lab:
        state = tmp_path / "small"
        here = Site(lab, tmp_path)
        master = here.start_master(state, NETCRIER_STATE_DIR=str(state))
        here.start_node("node1")
        here.wait_enrolled()
        fill(master)
        accepted: list[int] = []

        def send_until_refused() -> None:
            for number in range(200):
                accepted.append(here.broadcast(b"%d " % number + b"x" * 1000).sequence)

        with pytest.raises(Refused, match="cannot be written"):
            send_until_refused()
        assert "broadcasts are refused, " in " ".join(here.master_status().warnings)
        assert "receipts wait in memory" in " ".join(here.master_status().warnings)
        free(master)

        def sends_again() -> bool:
            try:
                accepted.append(here.broadcast(b"after").sequence)
            except ControlError:
                return False
            return True

        eventually(sends_again, "the master sends again")
        assert accepted == list(range(1, len(accepted) + 1))
        eventually(lambda: here.sequences("node1") == accepted, "the node has all, once")
