"""Live capture on a veth in a private network: frames that are lost, beside tcpdump, softflowd and NFStream.

64-byte frames of a thousand conversations: at 200,000 a second for ten seconds none may be lost; at the full speed of
tcpreplay no more than the peers lose, each of which gets the same frames by itself. Every reader has its defaults.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from netcrier.control.client import Client
from netcrier.control.failures import ControlError
from netcrier.control.types.analyzer import Packets
from netcrier_ctl.lab import Lab, Process

RATE = 200_000
SECONDS = 10
FRAMES = 2_000_000
"""Sent at full speed."""

HOST = "probe"
INSIDE, OUTSIDE = "in0", "out0"
PATIENCE = 20.0
PROGRAMS = (("tcpreplay", "tcpreplay"), ("tcpdump", "tcpdump"), ("softflowd", "softflowd"))
STREAM = """
import sys
from nfstream import NFStreamer
if __name__ == "__main__":
    seen = 0
    for flow in NFStreamer(source=sys.argv[1], n_dissections=0, idle_timeout=1, active_timeout=2, n_meters=1):
        seen += flow.bidirectional_packets
        print(seen, flush=True)
"""


@dataclass(frozen=True)
class Lost:
    """What a reader made of the frames that were sent."""

    name: str
    sent: int
    seen: int
    seconds: float

    @property
    def lost(self) -> int:
        """Frames that it did not see."""
        return max(0, self.sent - self.seen)

    def line(self) -> str:
        """A row of the table."""
        rate = self.sent / self.seconds if self.seconds else 0.0
        return f"  {self.name:<12} {self.sent:>10,} {rate:>10,.0f} {self.lost:>10,} {self.lost / self.sent:>8.2%}"


def frames(path: Path) -> None:
    """A capture of a hundred thousand frames of 64 bytes (60 and their checksum), for tcpreplay to repeat."""
    with path.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number in range(100_000):
            flow = number % 1000
            udp = struct.pack(">HHHH", 10_000 + flow, 7000, 26, 0) + bytes(18)
            head = struct.pack(
                ">BBHHHBBH4s4s", 0x45, 0, 46, 0, 0, 64, 17, 0, bytes((10, 5, 0, 1)), bytes((10, 5, 0, 2))
            )
            total = sum(struct.unpack(">10H", head))
            total = (total & 0xFFFF) + (total >> 16)
            head = head[:10] + struct.pack(">H", 0xFFFF - total) + head[12:]
            frame = bytes((2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0)) + head + udp
            out.write(struct.pack("<IIII", number // 1_000_000, number % 1_000_000, len(frame), len(frame)) + frame)


def replay(lab: Lab, capture: Path, *speed: str) -> tuple[int, float]:
    """Frames that went out, and the seconds that it took."""
    words = ["tcpreplay", "--preload-pcap", *speed, "-i", OUTSIDE, str(capture)]
    said = lab.run(HOST, words, timeout=120.0).stdout
    found = re.search(r"Actual: (\d+) packets .* sent in ([\d.]+) seconds", said)
    if found is None:
        sys.exit(f"bench-analyzer: tcpreplay said: {said[-400:]}")
    return int(found[1]), float(found[2])


def settled(look: Callable[[], int], sent: int) -> int:
    """What a reader has seen when nothing more comes, or all has."""
    seen, end = -1, time.monotonic() + PATIENCE
    while time.monotonic() < end:
        now = look()
        if now >= sent or now == seen:
            return now
        seen = now
        time.sleep(1.5)
    return seen


class Analyzer:
    """analyzerd with its defaults."""

    name = "analyzerd"

    def __init__(self, lab: Lab, place: Path) -> None:
        environ = {f"NETCRIER_{kind}_DIR": str(place / kind.lower()) for kind in ("LOG", "STATE", "CONFIG")}
        self._socket = lab.scratch / "run" / "analyzerd.sock"
        environ |= {"NETCRIER_RUNTIME_DIR": str(self._socket.parent), "NETCRIER_CAPTURE_INTERFACES": INSIDE}
        words = [sys.executable, "-m", "netcrier.analyzerd"]
        self._process = lab.spawn(HOST, words, env=environ, stderr=subprocess.DEVNULL)
        end = time.monotonic() + PATIENCE
        while not self._socket.exists() and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(0.5)  # the workers begin

    def packets(self) -> Packets:
        """The balance of all."""
        with Client(self._socket, 10.0) as client:
            total: Packets = client.call("stats").rows[-1].total
            return total

    def seen(self) -> int:
        """Packets analysed."""
        try:
            return self.packets().analysed
        except ControlError:
            return 0

    def end(self) -> None:
        """Stop it."""
        self._process.stop()


class Tcpdump:
    """tcpdump -w /dev/null: it says at the end what it saw."""

    name = "tcpdump"

    def __init__(self, lab: Lab, _place: Path) -> None:
        self._process = lab.spawn(
            HOST, ["tcpdump", "-n", "-i", INSIDE, "-w", "/dev/null"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        time.sleep(1.0)

    def seen(self) -> int:
        """Ends it."""
        os.kill(self._process.pid, signal.SIGINT)
        runner = self._process.runner
        assert runner.stderr is not None
        with runner.stderr as stream:
            said = stream.read().decode()
        self._process.wait()
        found = re.search(r"(\d+) packets captured", said)
        return int(found[1]) if found else 0

    def end(self) -> None:
        """`seen` did."""


class Softflowd:
    """softflowd, asked by softflowctl."""

    name = "softflowd"

    def __init__(self, lab: Lab, place: Path) -> None:
        self._lab, self._control = lab, str(place / "soft.ctl")
        words = ["softflowd", "-d", "-i", INSIDE, "-p", str(place / "soft.pid"), "-c", self._control]
        self._process = lab.spawn(HOST, words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1.0)

    def seen(self) -> int:
        """Packets processed."""
        said = self._lab.run(HOST, ["softflowctl", "-c", self._control, "statistics"]).stdout
        found = re.search(r"Packets processed: (\d+)", said)
        return int(found[1]) if found else 0

    def end(self) -> None:
        """Stop it."""
        end(self._process)


class Nfstream:
    """NFStream, whose flows expire soon so that they are counted while it runs."""

    name = "NFStream"

    def __init__(self, lab: Lab, place: Path, python: Path) -> None:
        script, self._out = place / "stream.py", place / "stream.out"
        script.write_text(STREAM)
        with self._out.open("wb") as out:
            self._process = lab.spawn(HOST, [str(python), str(script), INSIDE], stdout=out, stderr=subprocess.DEVNULL)
        time.sleep(5.0)

    def seen(self) -> int:
        """The last sum that it printed."""
        lines = self._out.read_text().split()
        return int(lines[-1]) if lines else 0

    def end(self) -> None:
        """Stop it."""
        end(self._process)


def end(process: Process) -> None:
    """Stop a peer that may not obey."""
    process.kill(signal.SIGKILL)
    process.wait()


def network(lab: Lab) -> None:
    """What goes out at OUTSIDE comes in at INSIDE, and nothing else does."""
    for words in (
        ["ip", "link", "set", "eth0", "down"],
        ["ip", "link", "add", INSIDE, "type", "veth", "peer", "name", OUTSIDE],
        *(["sh", "-c", f"echo 1 > /proc/sys/net/ipv6/conf/{name}/disable_ipv6"] for name in (INSIDE, OUTSIDE)),
        *(["ip", "link", "set", name, "up"] for name in (INSIDE, OUTSIDE)),
    ):
        lab.run(HOST, words)


@dataclass(frozen=True)
class Live:
    """At the fixed rate, and at full speed, where ours is the first."""

    paced: Lost
    fast: list[Lost]

    @property
    def paced_at_rate(self) -> bool:
        """Whether the machine could send at the rate at all."""
        return self.paced.seconds < SECONDS * 1.02


def live(place: Path, python: Path | None) -> Live:
    """Measure in turns; `python` is one with NFStream."""
    searched = f"{os.environ['PATH']}:/usr/sbin"
    missing = [package for package, program in PROGRAMS if not shutil.which(program, path=searched)]
    if missing:
        sys.exit(f"bench-analyzer: needs {' '.join(missing)}: sudo apt-get install -y {' '.join(missing)}")
    os.environ["PATH"] = searched
    capture = place / "frames.pcap"
    frames(capture)
    with Lab([HOST]) as lab:
        network(lab)
        paced = _paced(lab, place / "paced", capture)
        fast = [_read(lab, capture, kind(lab, place)) for kind in (Analyzer, Tcpdump, Softflowd)]
        if python:
            fast.append(_read(lab, capture, Nfstream(lab, place, python)))
    return Live(paced, fast)


def shown(found: Live) -> bool:
    """Print the table; whether a bar is missed."""
    ours, others = found.fast[0], found.fast[1:]
    lost = found.paced.lost > 0
    worse = [one.name for one in others if ours.lost / ours.sent > one.lost / one.sent]
    print(f"\nlive, 64-byte frames {'':<4} {'sent':>9} {'a second':>10} {'lost':>10} {'share':>8}")
    slow = "" if found.paced_at_rate else "  NOT MEASURED: this machine sends no faster"
    print(f"{found.paced.line()}   none lost at {RATE:,} a second{'  MISSED' if lost else slow}")
    for one in found.fast:
        print(one.line() + ("   full speed, no more than the others" if one is ours else ""))
    if worse:
        print(f"  MISSED: more than {', '.join(worse)}")
    return lost or bool(worse) or not found.paced_at_rate


def _paced(lab: Lab, place: Path, capture: Path) -> Lost:
    reader = Analyzer(lab, place)
    sent, seconds = replay(lab, capture, "--pps", str(RATE), "--loop", str(RATE * SECONDS // 100_000))
    seen = settled(reader.seen, sent)
    balance = reader.packets()
    reader.end()
    dropped = balance.dropped_kernel + balance.dropped_ring + balance.dropped_budget + balance.dropped_disk
    if balance.received != balance.analysed + balance.filtered + dropped + balance.undecodable:
        sys.exit(f"bench-analyzer: the balance does not hold: {balance}")
    return Lost("analyzerd", sent, seen, seconds)


def _read(lab: Lab, capture: Path, reader: Analyzer | Tcpdump | Softflowd | Nfstream) -> Lost:
    sent, seconds = replay(lab, capture, "--topspeed", "--loop", str(FRAMES // 100_000))
    if isinstance(reader, Tcpdump):
        time.sleep(2.0)
        seen = reader.seen()
    else:
        seen = settled(reader.seen, sent)
    reader.end()
    return Lost(reader.name, sent, seen, seconds)
