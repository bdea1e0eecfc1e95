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

from tests.captures import TRACES, read

TSHARK = shutil.which("tshark") or ""
ROW = re.compile(r"(\S+):(\d+)\s+<-> (\S+):(\d+)\s+(\d+) (\S+) (bytes|kB|MB)\s+(\d+) (\S+) (bytes|kB|MB)")
Key = tuple[str, ...]
"""Protocol, source, port, target, port."""

NO_QUOTES = "not (icmp.type in {3,4,5,11,12}) and not (icmpv6.type < 128)"
"""Errors of ICMP quote packets, which tshark would count again."""

LINK_HEADERS = {0: 4, 1: 14, 9: 4, 101: 0}
"""Bytes before the IP header, of links where they are always as many."""

OTHERWISE = {
    "cisco-fabric-path.pcap": "lengths left to the network card: we and Zeek go by what was captured",
    "modbus__fuzz-72.pcap": "an IP header that claims more than the frame has: no packet for us and Zeek",
    "tunnels__gtp__gtp9_unknown_or_too_short_payload.pcap": "an inner packet longer than the one around it, likewise",
    "tunnels__teredo-udp-in-udp.pcap": "Teredo without its port, told by content as in Zeek",
}
"""Captures of which the two mean different conversations, and why."""


def by_tshark(path: Path) -> Counter[tuple[Key, str]]:
    """Frames and bytes of each direction; bytes only where they are not rounded."""
    command = [TSHARK, "-n", "-r", str(path), "-q"]
    for protocol in ("tcp", "udp"):
        command += ["-z", f"conv,{protocol},{NO_QUOTES}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode in (0, 2), done.stderr  # 2: the capture is cut short
    found: Counter[tuple[Key, str]] = Counter()
    for table in done.stdout.split("=\n"):
        protocol = table[:3].lower()
        for a, a_port, b, b_port, *counts in ROW.findall(table):
            there, home = (protocol, a, a_port, b, b_port), (protocol, b, b_port, a, a_port)
            for key, (frames, size, unit) in ((home, counts[:3]), (there, counts[3:])):
                found[key, "packets"] += int(frames)
                if unit == "bytes":
                    found[key, "bytes"] += int(size.replace(",", ""))
                else:
                    found[key, "rounded"] += 1
    return found


def by_engine(path: Path, link_header: int | None) -> Counter[tuple[Key, str]]:
    """The same of our records, with so many bytes before each packet; no bytes where nobody knows, or in tunnels."""
    kernel = engine.new_kernel(checksums=engine.Checksums.IGNORE, most=10_000)
    for time, frame, wire, link in read(path):
        kernel.packet(frame, time, link=link, wire=wire)
    kernel.flush()
    plain = link_header is not None and not kernel.take("tunnel")
    found: Counter[tuple[Key, str]] = Counter()
    for line in kernel.take().splitlines():
        row = json.loads(line)
        orig, resp = (row["id.orig_h"], str(row["id.orig_p"])), (row["id.resp_h"], str(row["id.resp_p"]))
        for key, end in (((row["proto"], *orig, *resp), "orig"), ((row["proto"], *resp, *orig), "resp")):
            if row["proto"] in ("tcp", "udp"):
                found[key, "packets"] += row[f"{end}_pkts"]
                found[key, "bytes"] += row[f"{end}_ip_bytes"] + (link_header or 0) * row[f"{end}_pkts"]
    if not plain:
        found = Counter({key: count for key, count in found.items() if key[1] == "packets"})
    return found


def plain(path: Path) -> int | None:
    """The bytes before each IP packet, where a frame is that and one whole packet of TCP or UDP: only then do the
    two count the same bytes, as tshark counts frames and we count IP."""
    headers = set()
    for _, frame, wire, link in read(path):
        header = LINK_HEADERS.get(link)
        if header is None or len(frame) < header + 40:
            return None
        packet = frame[header:]
        if packet[0] >> 4 == 4:
            size, transport, whole = (
                int.from_bytes(packet[2:4], "big"),
                packet[9],
                not int.from_bytes(packet[6:8], "big") & 0x3FFF,
            )
        else:
            size, transport, whole = int.from_bytes(packet[4:6], "big") + 40, packet[6], True
        typed = link != 1 or frame[12:14] in (b"\x08\0", b"\x86\xdd")
        if not (typed and whole and transport in (6, 17) and size + header == wire):
            return None
        headers.add(header)
    return headers.pop() if len(headers) == 1 else None


def differences(path: Path) -> tuple[list[object], int]:
    """What is not the same, and how many counts of bytes were compared."""
    theirs, ours = by_tshark(path), by_engine(path, plain(path))
    both = [key for key in theirs.keys() | ours.keys() if key[1] == "packets"]
    sizes = [key for key in theirs.keys() & ours.keys() if key[1] == "bytes" and not theirs[key[0], "rounded"]]
    return [(key, theirs[key], ours[key]) for key in both + sizes if theirs[key] != ours[key]], len(sizes)


@pytest.mark.beside
@pytest.mark.skipif(not TRACES or not TSHARK, reason="needs tshark and the captures beside the repository")
def test_packets_and_bytes_of_every_conversation_are_tsharks() -> None:
    compared = 0
    for path in TRACES:
        wrong, sizes = differences(path)
        assert bool(wrong) is (path.name in OTHERWISE), (path.name, wrong)
        compared += sizes
    assert compared >= 300
