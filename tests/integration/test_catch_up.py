"""A node that comes back after many messages, with real processes: over TCP, in order, once; also where TCP is shut."""

from __future__ import annotations

import time
from hashlib import sha256
from pathlib import Path

import pytest
from netcrier.wire.limits import CATCH_UP_BYTES, MESSAGE_MAX

from tests.site import eventually, site

MISSED = 1000


@pytest.mark.parametrize("way", ["tcp", "udp"])
def test_a_node_away_for_1000_messages_has_them_all_in_order_soon_after_its_return(tmp_path: Path, way: str) -> None:
    with site(tmp_path, "node1", "node2") as here:
        if way == "udp":
            for words in (
                "table inet shut",
                "chain inet shut in { type filter hook input priority 0; }",
                "rule inet shut in tcp dport 12346 drop",
            ):
                here.lab.run("master", ["nft", f"add {words}"])
        here.nodes["node2"].stop()
        for number in range(MISSED):
            here.broadcast(b"%d" % number)
        here.nodes["node2"].start()
        back = time.monotonic()
        eventually(lambda: here.sequences("node2") == list(range(1, MISSED + 1)), "node2 has them all")
        print(f"complete {time.monotonic() - back:.2f} s after the return")
        here.wait_received(MISSED)
        counters = here.master_status().counters
        assert counters["caught up"] == (MISSED if way == "tcp" else 0), counters
        if way == "udp":
            assert counters["repaired"] >= MISSED


def test_a_node_that_lacks_few_and_big_messages_has_them_over_tcp_too(tmp_path: Path) -> None:
    big = [bytes([number]) * MESSAGE_MAX for number in range(CATCH_UP_BYTES // MESSAGE_MAX + 2)]
    with site(tmp_path, "node1", "node2") as here:
        node = here.nodes["node1"]
        node.stop()
        for number, body in enumerate(big):
            here.broadcast(body, f"big {number}")
        eventually(lambda: len(here.sequences("node2")) == len(big), "all have been sent")
        node.start()
        eventually(lambda: len(here.sequences("node1")) == len(big), "node1 has them all")
        here.wait_received(len(big))
        assert [line["sha256"] for line in node.lines()] == [sha256(body).hexdigest() for body in big]
        assert here.master_status().counters["caught up"] == len(big)
