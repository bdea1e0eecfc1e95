"""Files cut short under real daemons: told, set aside, and nothing is repeated, renumbered or claimed falsely."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from netcrier.control.types.master import ReceiptsRequest
from netcrier_ctl.lab import Lab

from tests.site import Daemon, Site, eventually

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


def states(here: Site, message: str) -> dict[str, str]:
    return {row.name: row.state for row in here.master.call("receipts", ReceiptsRequest(message)).rows}


def end(daemon: Daemon, killed: bool) -> None:
    if killed:
        daemon.kill()
    else:
        assert daemon.stop() == 0


@pytest.mark.parametrize(("killed", "cut"), [cut[1:] for cut in CUTS], ids=[cut[0] for cut in CUTS])
def test_a_cut_journal_is_set_aside_and_told_and_the_node_goes_on_where_it_was(
    tmp_path: Path, killed: bool, cut: Cut
) -> None:
    with Lab(["master", "node1", "node2"]) as lab:
        here = Site(lab, tmp_path)
        here.start_master()
        node = here.start_node("node1")
        here.start_node("node2")
        here.wait_enrolled()
        sent = [here.broadcast(b"before %d" % number).id for number in range(30)]
        for message in sent:
            eventually(lambda message=message: set(states(here, message).values()) == {"delivered"}, f"#{message}")  # type: ignore[misc]  # as in site.py
        end(node, killed)
        missed = [here.broadcast(b"missed %d" % number).id for number in range(3)]
        journal = node.state / "journal.sqlite"
        cut(journal)
        node.start()
        after = here.broadcast(b"after").id
        for message in (*missed, after):
            eventually(lambda message=message: set(states(here, message).values()) == {"delivered"}, f"#{message}")  # type: ignore[misc]  # as in site.py
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
