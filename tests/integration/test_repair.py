"""How what is lost comes again, with real processes, as an ear on the network hears it."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from netcrier.wire.header import read_front
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import MESSAGE_MAX
from netcrier_ctl.lab import Lab

from tests.intruder import Intruder
from tests.links import deafen, undeafen
from tests.site import Site, eventually

NODES = tuple(f"node{number}" for number in range(1, 11))


@contextmanager
def site(place: Path, names: tuple[str, ...] = NODES, **environ: str) -> Iterator[tuple[Site, Intruder]]:
    """A master, nodes, and an ear that hears what is broadcast."""
    with Lab(["master", *names, "ear"]) as lab:
        here = Site(lab, place)
        here.start_master(None, **environ)
        for name in names:
            here.start_node(name)
        here.wait_enrolled()
        yield here, Intruder(lab, "ear", place)


def heard(ear: Intruder) -> Counter[Kind]:
    return Counter(read_front(data).kind for data in ear.recorded())


def test_what_all_lack_is_asked_for_by_a_bitmap_and_repeated_once_for_all(tmp_path: Path) -> None:
    with site(tmp_path) as (here, ear):
        ear.listen(120)
        eventually(lambda: heard(ear)[Kind.BEACON] > 0, "the ear hears the master")
        for host in here.nodes:
            deafen(here.lab, host, Kind.MESSAGE)
        here.broadcast(b"lost by all")
        eventually(lambda: heard(ear)[Kind.SOLICIT] > 0, "the nodes are asked by broadcast")
        eventually(lambda: here.master_status().counters["repaired"] > 0, "nodes have asked for it")
        for host in here.nodes:
            undeafen(here.lab, host)
        here.wait_received(1)
        assert heard(ear)[Kind.MESSAGE] > 1, "it was repeated to all"
        for host in here.nodes:
            assert here.sequences(host) == [1]


def test_what_one_lacks_is_repeated_to_it_alone(tmp_path: Path) -> None:
    with site(tmp_path) as (here, ear):
        ear.listen(120)
        eventually(lambda: heard(ear)[Kind.BEACON] > 0, "the ear hears the master")
        deafen(here.lab, "node7", Kind.MESSAGE)
        here.broadcast(b"lost by one")
        eventually(lambda: here.master_status().counters["repaired"] > 0, "it has asked")
        undeafen(here.lab, "node7")
        here.wait_received(1)
        assert heard(ear)[Kind.MESSAGE] == 1, "the others heard nothing of it"
        assert here.sequences("node7") == [1]


def test_a_master_that_loses_receipts_gives_its_nodes_more_time_for_them(tmp_path: Path) -> None:
    with site(tmp_path) as (here, ear):
        assert here.master_status().window_ms == pytest.approx(2.0)
        process = here.master.process
        assert process

        waste = (b"NC\x01\x02" + bytes.fromhex(here.master_status().group_id)).ljust(1200)

        def wider() -> bool:
            process.kill(signal.SIGSTOP)
            try:
                ear.send("master", 12346, [waste] * 20_000)  # more than its receive buffer of 8 MiB holds
            finally:
                process.kill(signal.SIGCONT)
            return here.master_status().window_ms > 2

        eventually(wider, "the window is wider", 60)
        assert here.master_status().window_ms == pytest.approx(1000 * len(here.nodes) / 2500)
        assert any(text.startswith("the kernel dropped ") for text in here.master_status().warnings)
        here.broadcast(b"all the same")
        here.wait_received(1)


@pytest.mark.parametrize("lacking", ["nobody", "master", "node"])
def test_a_mebibyte_is_mended_by_parity_where_it_is_installed_and_plainly_where_it_is_not(
    tmp_path: Path, lacking: str
) -> None:
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "zfec.py").write_text("raise ImportError\n")
    without = {"PYTHONPATH": str(tmp_path / "without")}
    with Lab(["master", "node1", "node2", "node3", "ear"]) as lab:
        here = Site(lab, tmp_path)
        here.start_master(None, **(without if lacking == "master" else {}))
        here.start_node("node1", None, **(without if lacking == "node" else {}))
        here.start_node("node2")
        here.start_node("node3")
        here.wait_enrolled()
        ear = Intruder(lab, "ear", tmp_path)
        ear.listen(120)
        eventually(lambda: heard(ear)[Kind.BEACON] > 0, "the ear hears the master")
        lab.loss(10)
        bodies = [os.urandom(MESSAGE_MAX) for _ in range(3)]
        for body in bodies:
            here.broadcast(body, sha256(body).hexdigest())
        here.wait_received(3)
        for host, node in here.nodes.items():
            here.wait_logged(host, 1, 2, 3)
            assert [line["sha256"] for line in node.lines()] == [sha256(body).hexdigest() for body in bodies]
        assert (heard(ear)[Kind.PARITY] > 0) == (lacking != "master")
        assert here.master_status().counters["repaired"] > 0
