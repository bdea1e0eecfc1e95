"""Zeek's own logs of its test captures: every row that the engine writes itself is Zeek's."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from netcrier.analyzerd import engine
from netcrier.analyzerd.capture import file
from netcrier.analyzerd.capture.source import Source
from netcrier.analyzerd.engine.kernel import ODDITIES

from tests.captures import SHARED

Row = dict[str, Any]
GOLDENS = SHARED / "goldens/goldens.json"
KEY = ("id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p")
RANDOM_OR_OURS = {"ts", "uid", "tunnel_parents", "local_orig", "local_resp", "peer", "service"}
OWN_TUNNELS = {f"Tunnel::{kind}" for kind in ("IP", "AYIYA", "TEREDO", "GTPv1", "GRE", "VXLAN", "GENEVE")}
OWN_NAMES = {name.decode() for _, name, _, _ in ODDITIES}
DEPTHS = {"core/tunnels/gre-in-gre-min-depth.test": 1}
"""Zeek's tests that set Tunnel::max_depth themselves."""

NOT_OURS = {
    ("traces/tunnels__gtp__gtp2_different_udp_port.pcap", 51803): "X: an analyzer of an application gave up",
    ("traces/vntag_vlan_sandwich_clean.pcap", 443): "no analyzer was loaded, so Zeek knew of no server's port",
}
"""Rows of conn.log, by capture and originator's port, that say what no flow table can know."""


def own(log: str, golden: Row, row: Row) -> bool:
    """Whether the row is the engine's to write: no application's tunnel or oddity."""
    if log == "conn":
        return (golden["trace"], row["id.orig_p"]) not in NOT_OURS
    if log == "tunnel":
        return row["tunnel_type"] in OWN_TUNNELS
    return row["name"].removesuffix("_in_tunnel") in OWN_NAMES


def by_engine(path: Path, golden: Row) -> dict[tuple[Any, ...], list[Row]]:
    """The rows of the golden's log, by their ends."""
    checksums = engine.Checksums.IGNORE if golden["ignore_checksums"] else engine.Checksums.DROP
    depth = DEPTHS.get(golden["test"], engine.TUNNEL_DEPTH)
    kernel = engine.new_kernel(checksums=checksums, most=100_000, tunnel_depth=depth)
    source = Source(path)
    lines = [batch for written in file.read(kernel, source) for batch in written]
    source.close()
    kernel.flush()
    found = defaultdict(list)
    for log, text in [*lines, *engine.batches(kernel)]:
        for line in text.splitlines() if log == golden["log"] else ():
            row = json.loads(line)
            found[tuple(row.get(name) for name in KEY)].append(row)
    return found


def same(golden: Row, row: Row, names: list[str]) -> bool:
    """Equal in all fields; Zeek keeps times as floats, which differ by up to a microsecond."""
    pairs = [(golden.get(name), row.get(name)) for name in names]
    return all(abs(a - b) < 2e-6 if isinstance(a, float) and isinstance(b, float) else a == b for a, b in pairs)


@pytest.mark.beside
@pytest.mark.skipif(not GOLDENS.exists(), reason=f"no goldens under {SHARED}")
@pytest.mark.parametrize(("log", "least"), [("conn", 230), ("tunnel", 45), ("weird", 3)])
def test_every_row_of_the_engine_is_zeeks(log: str, least: int) -> None:
    compared = extra = 0
    for golden in json.loads(GOLDENS.read_text()):
        if golden["log"] != log:
            continue
        found = by_engine(SHARED / "goldens" / golden["trace"], golden)
        names = [name for name in golden["fields"] if name not in RANDOM_OR_OURS]
        for row in golden["rows"]:
            if own(log, golden, row):
                mine = found[tuple(row.get(name) for name in KEY)]
                like = next((one for one in mine if same(row, one, names)), None)
                assert like is not None, (golden["trace"], golden["test"], row, mine)
                mine.remove(like)
                compared += 1
        extra += sum(len(rows) for rows in found.values())
    assert compared >= least
    assert extra == (len(NOT_OURS) if log == "conn" else 0)
