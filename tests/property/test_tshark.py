"""An oracle of another make: packets and bytes of every conversation, as tshark counts them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from netcrier.analyzerd import engine

from tests.model.packets import NotModelled

from .test_model import TRACES, by_model, read

TSHARK = shutil.which("tshark") or ""
ROW = re.compile(r"(\S+):(\d+)\s+<-> (\S+):(\d+)\s+(\d+) (\S+) (bytes|kB|MB)\s+(\d+) (\S+) (bytes|kB|MB)")
Key = tuple[str, str, str, str]
ETHERNET = 14


def by_tshark(path: Path, protocol: str) -> Counter[tuple[Key, str]]:
    """Frames and bytes of each direction, by (source, port, target, port); bytes only where they are not rounded."""
    command = [TSHARK, "-n", "-r", str(path), "-q", "-z", f"conv,{protocol}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    found: Counter[tuple[Key, str]] = Counter()
    for a, a_port, b, b_port, back, back_bytes, back_unit, forth, forth_bytes, forth_unit in ROW.findall(done.stdout):
        there, home = (a, a_port, b, b_port), (b, b_port, a, a_port)
        for key, frames, size, unit in ((there, forth, forth_bytes, forth_unit), (home, back, back_bytes, back_unit)):
            found[key, "packets"] += int(frames)
            found[key, "bytes" if unit == "bytes" else "rounded"] += (
                int(size.replace(",", "")) if unit == "bytes" else 1
            )
    return found


def by_engine(path: Path, protocol: str) -> Counter[tuple[Key, str]]:
    """The same of our records, with 14 bytes of Ethernet for each packet."""
    kernel = engine.new_kernel(checksums=engine.Checksums.IGNORE, most=10_000)
    for time, frame, wire in read(path):
        kernel.packet(frame, time, wire=wire)
    kernel.flush()
    found: Counter[tuple[Key, str]] = Counter()
    for line in kernel.take().splitlines():
        row = json.loads(line)
        if row["proto"] != protocol:
            continue
        orig, resp = (row["id.orig_h"], str(row["id.orig_p"])), (row["id.resp_h"], str(row["id.resp_p"]))
        for key, end in (((*orig, *resp), "orig"), ((*resp, *orig), "resp")):
            found[key, "packets"] += row[f"{end}_pkts"]
            found[key, "bytes"] += row[f"{end}_ip_bytes"] + ETHERNET * row[f"{end}_pkts"]
    return found


def plain(path: Path) -> bool:
    """Whether both programs mean the same frames: no tags, no fillers, no packets inside ICMP errors."""
    for _, frame, wire in read(path):
        kind = frame[12:14]
        if kind == b"\x08\0":
            size = int.from_bytes(frame[16:18], "big") + ETHERNET
            odd = frame[23] == 1 and frame[34] in (3, 5, 11, 12)
        elif kind == b"\x86\xdd":
            size = int.from_bytes(frame[18:20], "big") + 40 + ETHERNET
            odd = frame[20] not in (6, 17)
        else:
            size, odd = wire, kind == b"\x81\0"
        if odd or size != wire:
            return False
    return True


@pytest.mark.beside
@pytest.mark.skipif(not TRACES or not TSHARK, reason="needs tshark and the captures beside the repository")
def test_packets_and_bytes_of_every_conversation_are_tsharks() -> None:
    compared = 0
    for path in TRACES:
        try:
            by_model(read(path))
            if not plain(path):
                continue
        except NotModelled:
            continue
        for protocol in ("tcp", "udp"):
            theirs, ours = by_tshark(path, protocol), by_engine(path, protocol)
            for (key, what), count in theirs.items():
                if what == "packets" or (what == "bytes" and not theirs[key, "rounded"]):
                    assert ours[key, what] == count, (path.name, key, what)
                    compared += what == "bytes"
            assert {key for key, _ in ours} == {key for key, _ in theirs}, path.name
    assert compared >= 100
