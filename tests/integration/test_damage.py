"""Files cut short under real daemons: told, set aside, and nothing is repeated, renumbered or claimed falsely."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from netcrier.control.failures import ControlError
from netcrier.control.types.roster import NodeRequest, NodesRequest

from tests.site import Daemon, Site, eventually, site

Cut = Callable[[Path], None]


def to(end: str, size: float) -> Cut:
    """Cut the file with this end to a number of bytes, or to a part of it."""

    def cut(database: Path) -> None:
        path = database.with_name(database.name + end)
        whole = path.read_bytes()
        assert whole, path
        path.write_bytes(whole[: int(size if size >= 1 else len(whole) * size)])

    return cut


def without(end: str) -> Cut:
    """Remove the file with this end."""

    def cut(database: Path) -> None:
        database.with_name(database.name + end).unlink()

    return cut


STOPPED = {
    "all": to("", 0), "in the magic": to("", 7), "in the header": to("", 60), "in a page": to("", 0.55),
    "at a page": to("", 4096), "lost": without(""),
}  # fmt: skip
"""After a clean stop there is no write-ahead log."""
KILLED = {
    "log cut to nothing": to("-wal", 0), "log cut in its header": to("-wal", 20), "log cut": to("-wal", 0.3),
    "log lost": without("-wal"),
}  # fmt: skip
CUTS = [(name, False, cut) for name, cut in STOPPED.items()] + [(name, True, cut) for name, cut in KILLED.items()]


def end(daemon: Daemon, killed: bool) -> None:
    if killed:
        daemon.kill()
    else:
        assert daemon.stop() == 0


@pytest.mark.parametrize(("killed", "cut"), [cut[1:] for cut in CUTS], ids=[cut[0] for cut in CUTS])
def test_a_cut_journal_is_set_aside_and_told_and_the_node_goes_on_where_it_was(
    tmp_path: Path, killed: bool, cut: Cut
) -> None:
    with site(tmp_path, "node1", "node2") as here:
        node = here.nodes["node1"]
        sent = [here.broadcast(b"before %d" % number).id for number in range(30)]
        here.wait_delivered(*sent)
        end(node, killed)
        missed = [here.broadcast(b"missed %d" % number).id for number in range(3)]
        journal = node.state / "journal.sqlite"
        cut(journal)
        node.start()
        after = here.broadcast(b"after").id
        here.wait_delivered(*missed, after)
        texts = [*(f"before {number}" for number in range(30)), *(f"missed {number}" for number in range(3)), "after"]
        assert [(line["n"], line["text"]) for line in node.lines()] == list(enumerate(texts, 1))
        (told,) = [warning for warning in node.call("status").warnings if warning.startswith("the journal ")]
        aside = [path for path in node.state.glob("journal.sqlite.broken-*") if path.name.endswith("Z")]
        assert [path.name in told for path in aside] == ([] if "lost;" in told else [True])
        assert told in node.stderr
        assert node.stop() == 0
        node.start()
        assert "the journal" not in " ".join(node.call("status").warnings), "it is told once"
        assert len(list(node.state.glob("journal.sqlite.broken-*Z"))) == len(aside)


STORE_CUTS = [cut for cut in CUTS if cut[0] in ("all", "in the header", "in a page", "log cut to nothing", "log cut")]
"""Fewer: each takes the time that nodes need to find a new term; test_masters.py has a store that is lost."""


@pytest.mark.parametrize(("killed", "cut"), [cut[1:] for cut in STORE_CUTS], ids=[cut[0] for cut in STORE_CUTS])
def test_a_cut_store_is_told_and_set_aside_and_a_new_term_begins_on_command_alone(
    tmp_path: Path, killed: bool, cut: Cut
) -> None:
    with site(tmp_path, "node1", "node2") as here:
        lab, master = here.lab, here.master
        for number in range(4):
            here.broadcast(b"%d" % number)
        eventually(lambda: here.sequences("node2") == [1, 2, 3, 4], "node2 has them")
        here.nodes["node2"].stop()
        for number in range(4, 6):
            here.broadcast(b"%d" % number)
        eventually(lambda: here.sequences("node1") == [1, 2, 3, 4, 5, 6], "node1 has all")
        end(master, killed)
        store = master.state / "store.sqlite"
        cut(store)
        for _ in range(2):  # it stays so, however often it is started
            done = lab.run("master", [sys.executable, "-m", "netcrier.masterd"], env=master.environ, timeout=60)
            assert (done.returncode, "netctl master recover" in done.stderr) == (78, True), done.stderr
        done = lab.run(
            "master", [sys.executable, "-m", "netcrier_ctl.cli", "master", "recover"], env=master.environ, timeout=60
        )
        assert done.returncode == 0, done.stderr
        aside = [path for path in master.state.glob("store.sqlite.broken-*") if path.name.endswith("Z")]
        assert [path.name in done.stdout for path in aside] == (
            [] if "no store to set aside" in done.stdout else [True]
        )

        master.start()
        eventually(lambda: _speaks_in(master) > 1, "it speaks in a term above all that the nodes have heard")
        here.nodes["node2"].start()
        eventually(lambda: _all_known(here), "both nodes are known and here")
        sent = here.broadcast(b"new term", "new term")
        eventually(lambda: all(_numbers(here, host)[-1] == (sent.term, 1) for host in here.nodes), "both follow")
        for host in here.nodes:
            assert _numbers(here, host) == [*((1, number) for number in range(1, 7)), (sent.term, 1)], host
            lines = here.nodes[host].lines()
            assert [line["n"] for line in lines] == list(range(1, len(lines) + 1))
        assert all(line["event"] == "message" for line in here.nodes["node1"].lines())


def _speaks_in(master: Daemon) -> int:
    """The term; 0 while it does not speak."""
    try:
        status = master.call("status")
    except ControlError:
        return 0  # it begins anew
    return status.term if status.standing == "speaking" else 0


def _all_known(here: Site) -> bool:
    """Lets in who waits, where the group key was lost; whether both take part."""
    status = here.master_status()
    for row in here.master.call("nodes", NodesRequest()).rows if status.nodes.waiting else ():
        if row.state == "waiting":
            here.master.call("node.approve", NodeRequest(row.node))
    return status.nodes.here == len(here.nodes)


def _numbers(here: Site, host: str) -> list[tuple[int, int]]:
    """(term, number) of all that the node's log speaks of, messages and gaps, in its order."""
    lines = here.nodes[host].lines()
    return [
        (line["term"], number) for line in lines for number in range(line["seq"], line.get("last", line["seq"]) + 1)
    ]
