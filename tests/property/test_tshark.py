"""An oracle of another make: packets and bytes of every conversation, as tshark counts them.

Where the two mean different things by a packet, a rule that looks at that packet alone leaves it out for both.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
from netcrier.analyzerd import engine

from tests.captures import TRACES, TRAFFIC, Frame, read

TSHARK = shutil.which("tshark") or ""
ROW = re.compile(r"(\S+):(\d+)\s+<-> (\S+):(\d+)\s+(\d+) (\S+) (bytes|kB|MB)\s+(\d+) (\S+) (bytes|kB|MB)")
Key = tuple[str, ...]
"""Protocol, source, port, target, port."""
Count = tuple[Key, str]
"""What is counted of a direction: packets, bytes."""

LEFT_OUT = {
    "ip.bogus_ip_length": "an IP header that claims more than the frame has: no packet for us and Zeek",
    "cfp": "FabricPath: tshark takes the last four bytes for a checksum of the frame, which these captures do not have",
    "gtp and ip.len#2 != udp.length#1 - 16 and ip.len#2 != udp.length#1 - 20": "GTP around a packet that does not fill"
    " it: no tunnel for us and Zeek",
}
"""Packets of which the two mean different things: a display filter each, and why."""

QUOTES = "(icmp.type in {3,4,5,11,12}) or (icmpv6.type < 128)"
"""Errors of ICMP quote packets, which tshark would count again."""

MEANINGS = ("--disable-protocol", "capwap.data", "--enable-heuristic", "teredo_udp")
"""CAPWAP is opened by neither us nor Zeek; Teredo is known by content, too, by both."""

LINK_HEADERS = {0: 4, 1: 14, 9: 4, 101: 0}
"""Bytes before an IP packet or a VLAN tag, by link."""


def by_tshark(path: Path) -> tuple[Counter[Count], set[int]]:
    """Frames and bytes of each direction, bytes only where they are not rounded; and which frames are left out."""
    out, wanted = " or ".join(f"({rule})" for rule in LEFT_OUT), "".join(f" and not ({rule})" for rule in LEFT_OUT)
    command = [TSHARK, "-n", *MEANINGS, "-r", str(path), "-Y", out, "-T", "fields", "-e", "frame.number"]
    for protocol in ("tcp", "udp"):
        command += ["-z", f"conv,{protocol},not ({QUOTES}){wanted}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode in (0, 2), done.stderr  # 2: the capture is cut short
    numbers, *tables = done.stdout.split("=\n")
    found: Counter[Count] = Counter()
    for table in tables:
        protocol = table[:3].lower()
        for a, a_port, b, b_port, *counts in ROW.findall(table):
            there, home = (protocol, a, a_port, b, b_port), (protocol, b, b_port, a, a_port)
            for key, (frames, size, unit) in ((home, counts[:3]), (there, counts[3:])):
                found[key, "packets"] += int(frames)
                if unit == "bytes":
                    found[key, "bytes"] += int(size.replace(",", ""))
                else:
                    found[key, "rounded"] += 1
    return found, {int(word) for word in numbers.split() if word.isdecimal()}


def by_engine(frames: list[Frame]) -> Counter[Count]:
    """Packets and IP bytes of each direction, by our records."""
    kernel = engine.new_kernel(checksums=engine.Checksums.IGNORE, most=10_000)
    lines = b""
    for time, frame, wire, link in frames:
        kernel.packet(frame, time, link=link, wire=wire)
        lines += kernel.take()
    kernel.flush()
    found: Counter[Count] = Counter()
    for line in (lines + kernel.take()).splitlines():
        row = json.loads(line)
        orig, resp = (row["id.orig_h"], str(row["id.orig_p"])), (row["id.resp_h"], str(row["id.resp_p"]))
        for key, end in (((row["proto"], *orig, *resp), "orig"), ((row["proto"], *resp, *orig), "resp")):
            if row["proto"] in ("tcp", "udp"):
                found[key, "packets"] += row[f"{end}_pkts"]
                found[key, "bytes"] += row[f"{end}_ip_bytes"]
    return found


def beside(frame: bytes, wire: int, link: int) -> tuple[Key, int] | None:
    """The direction of a frame that is one whole packet of TCP or UDP, and its bytes that are not IP's: headers of
    the link before it, padding after it. tshark counts frames, we count IP."""
    header = LINK_HEADERS.get(link)
    if header is None:
        return None
    if link == 1:
        while frame[header - 2 : header] == b"\x81\0":
            header += 4
        if frame[header - 2 : header] not in (b"\x08\0", b"\x86\xdd"):
            return None
    packet = frame[header:]
    if len(packet) < 40:
        return None
    if packet[0] >> 4 == 4:
        size, protocol, ends, start = int.from_bytes(packet[2:4], "big"), packet[9], packet[12:20], packet[0] % 16 * 4
        if int.from_bytes(packet[6:8], "big") & 0x3FFF:
            return None
    else:
        size, protocol, ends, start = int.from_bytes(packet[4:6], "big") + 40, packet[6], packet[8:40], 40
    if protocol not in (6, 17) or len(packet) < start + 4:
        return None
    half = len(ends) // 2
    ports = int.from_bytes(packet[start : start + 2], "big"), int.from_bytes(packet[start + 2 : start + 4], "big")
    source, target = written(ends[:half]), written(ends[half:])
    key = ("tcp" if protocol == 6 else "udp", source, str(ports[0]), target, str(ports[1]))
    return key, wire - size


def written(octets: bytes) -> str:
    """As people write it."""
    return str(IPv4Address(octets) if len(octets) == 4 else IPv6Address(octets))


def differences(path: Path) -> tuple[list[object], int]:
    """What is not the same, and of how many directions bytes were compared."""
    theirs, out = by_tshark(path)
    frames = [frame for number, frame in enumerate(read(path), 1) if number not in out]
    ours = by_engine(frames)
    plain: Counter[Count] = Counter()
    for _, frame, wire, link in frames:
        if known := beside(frame, wire, link):
            plain[known[0], "packets"] += 1
            plain[known[0], "bytes"] += known[1]
    wrong: list[object] = []
    compared = 0
    for key in {key for key, _ in theirs.keys() | ours.keys()}:
        packets, size = (key, "packets"), (key, "bytes")
        if theirs[packets] != ours[packets]:
            wrong.append((packets, theirs[packets], ours[packets]))
        elif plain[packets] == theirs[packets] and not theirs[key, "rounded"]:
            compared += 1
            if theirs[size] - plain[size] != ours[size]:
                wrong.append((size, theirs[size] - plain[size], ours[size]))
    return wrong, compared


@pytest.mark.beside
@pytest.mark.skipif(not TRACES or not TSHARK, reason="needs tshark and the captures beside the repository")
@pytest.mark.parametrize(("captures", "least"), [(TRACES, 300), (TRAFFIC, 12_000)], ids=["goldens", "traffic"])
def test_packets_and_bytes_of_every_conversation_are_tsharks(captures: list[Path], least: int) -> None:
    compared = 0
    for path in captures:
        wrong, sizes = differences(path)
        assert not wrong, (path.name, wrong)
        compared += sizes
    assert compared >= least
