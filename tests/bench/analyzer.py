"""conn.log from capture files, and live capture, beside softflowd, nfpcapd, tcpdump and NFStream in the same run.

`make bench-analyzer` runs it. One read to warm the page cache, then the median of five of each, taken in turns. The
peers' programs are Debian's softflowd and nfdump; NFStream is installed into an environment of the bench's own. All of
them run in a network namespace made for the run, so nothing is sent anywhere.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from netcrier.analyzerd.engine.kernel import CONVERSATION_SIZE

from tests.bench import conversations, live

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
ROUNDS = 5
NFSTREAM_ROUNDS = 1
NFSTREAM = "nfstream==6.6.0"
MIX_COPIES = 30
BARS = {"softflowd": 1.0, "nfpcapd": 2.0, "NFStream": 15.0}
"""How many times longer each peer must take at least."""
COST_BAR = 3.0
MEMORY_BAR_MB = 400.0
STREAM = """
import sys
from nfstream import NFStreamer
if __name__ == "__main__":
    print(sum(1 for _ in NFStreamer(source=sys.argv[1], n_dissections=0, statistical_analysis=False, n_meters=1)))
"""


@dataclass(frozen=True)
class Peer:
    """A program that reads a capture file."""

    name: str
    command: list[str]
    rounds: int = ROUNDS


@dataclass(frozen=True)
class Result:
    """Seconds by peer, for one file."""

    title: str
    seconds: dict[str, float]

    def ratios(self) -> dict[str, float]:
        """How many times longer the others took than we did."""
        return {name: taken / self.seconds["analyzerd"] for name, taken in self.seconds.items() if name != "analyzerd"}


def needed() -> None:
    """Name what is missing, and end."""
    found = {
        **{package: shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin") for package, program in PROGRAMS}
    }
    missing = [package for package, path in found.items() if path is None]
    if missing:
        sys.exit(f"bench-analyzer: needs {' '.join(missing)}: sudo apt-get install -y {' '.join(missing)}")


PROGRAMS = (("softflowd", "softflowd"), ("nfdump", "nfpcapd"), ("util-linux", "unshare"))


def nfstream(folder: Path) -> Path | None:
    """The Python of an environment with NFStream, made once; None where it cannot be had."""
    python = folder / "nfstream" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder / "nfstream")], check=True, timeout=120)
    have = subprocess.run([str(python), "-c", "import nfstream"], capture_output=True, timeout=120, check=False)
    if have.returncode:
        pip = [str(python), "-m", "pip", "install", "--quiet", NFSTREAM]
        if subprocess.run(pip, timeout=600, check=False).returncode:
            return None
    return python


def peers(capture: Path, out: Path, python: Path | None) -> list[Peer]:
    """The programs, as they are run on a file."""
    (out / "flows").mkdir(exist_ok=True)
    (out / "logs").mkdir(exist_ok=True)
    soft = [
        "softflowd",
        "-d",
        "-6",
        "-m",
        "1000000",
        "-p",
        str(out / "pid"),
        "-c",
        str(out / "ctl"),
        "-r",
        str(capture),
    ]
    read = [
        str(Path(sys.executable).parent / "analyzerd"),
        "--read",
        str(capture),
        "--log-dir",
        str(out / "logs"),
        "-q",
    ]
    found = [
        Peer("analyzerd", [*read, "--logs", "conn"]),
        Peer("softflowd", soft),
        Peer("nfpcapd", ["nfpcapd", "-r", str(capture), "-w", str(out / "flows")]),
    ]
    if python:
        script = out / "stream.py"
        script.write_text(STREAM)
        found.append(Peer("NFStream", [str(python), str(script), str(capture)], NFSTREAM_ROUNDS))
    return found


def run(peer: Peer) -> float:
    """Seconds of one whole process, alone in a network namespace."""
    command = ["unshare", *([] if os.getuid() == 0 else ["-r"]), "-n", *peer.command]
    environ = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"}
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, env=environ, timeout=600, check=False)
    taken = time.perf_counter() - started
    if done.returncode:
        sys.exit(f"bench-analyzer: {peer.name} ended with {done.returncode}: {done.stderr.decode()[-500:]}")
    return taken


def compare(title: str, capture: Path, python: Path | None) -> Result:
    """All peers on one file, in turns."""
    with tempfile.TemporaryDirectory(prefix="netcrier-bench-") as folder:
        programs = peers(capture, Path(folder), python)
        for peer in programs[:3]:
            run(peer)
        taken: dict[str, list[float]] = {peer.name: [] for peer in programs}
        for number in range(ROUNDS):
            for peer in programs:
                if number < peer.rounds:
                    taken[peer.name].append(run(peer))
    return Result(title, {name: statistics.median(values) for name, values in taken.items()})


@dataclass(frozen=True)
class Open:
    """With so many conversations held: nanoseconds a packet, and MB."""

    cost: float
    memory: float
    held: int


def concurrency(count: int, rounds: int) -> Open:
    """What a packet costs with `count` conversations open."""
    command = [sys.executable, "-m", "tests.bench.concurrency", str(count), str(rounds)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=300)
    cost, memory, held = done.stdout.split()
    return Open(float(cost), float(memory), int(held))


def main() -> int:
    """Print the table; 1 where a bar is missed."""
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--folder", type=Path, default=REPOSITORY / ".bench", help="where captures and NFStream stay")
    flags.add_argument("--spread", type=Path, help="traffic/spread.py, which makes the capture of real applications")
    flags.add_argument("--without-nfstream", action="store_true")
    chosen = flags.parse_args()
    needed()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    python = None if chosen.without_nfstream else nfstream(chosen.folder)
    captures = []
    mix = chosen.folder / "spread.pcap"
    if not mix.exists() and chosen.spread:
        subprocess.run([sys.executable, str(chosen.spread), str(mix), str(MIX_COPIES)], check=True, timeout=600)
    if mix.exists():
        captures.append(("3.0 million packets, 250,000 conversations of real applications", mix))
    made = chosen.folder / "conversations.pcap"
    if not made.exists():
        conversations.write(made, 150_000)
    captures.append(("3.0 million packets, 150,000 conversations, generated", made))
    missed = False
    for title, capture in captures:
        missed |= shown(compare(title, capture, python))
    with tempfile.TemporaryDirectory(prefix="netcrier-bench-") as folder:
        missed |= live.shown(live.live(Path(folder), python))
    missed |= shown_concurrency(concurrency(10_000, 60), concurrency(1_000_000, 4))
    missed |= shown_flood()
    return int(missed)


def shown_flood() -> bool:
    """Print what a flood of SYNs leaves; whether a bar is missed."""
    command = [sys.executable, "-m", "tests.bench.flood"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=300)
    before, after, memory, written, seconds = done.stdout.split()
    print("\nSYNs from 5,000,000 sources against a table of 1,000,000")
    print(f"  {after} of {before} established conversations stay; {int(written):,} records; {seconds} s")
    print(f"  {memory} MB (at most {MEMORY_BAR_MB:.0f})")
    return after != before or float(memory) > MEMORY_BAR_MB


def shown(result: Result) -> bool:
    """Print the seconds of all; whether a bar is missed."""
    missed = False
    print(f"\n{result.title}\n  {'analyzerd':<10} {result.seconds['analyzerd']:6.2f} s")
    for name, ratio in result.ratios().items():
        held = ratio >= BARS[name] if BARS[name] > 1 else ratio > 1
        missed |= not held
        bar = f"at least {BARS[name]:g}" if BARS[name] > 1 else "more than 1"
        verdict = "" if held else "  MISSED"
        print(f"  {name:<10} {result.seconds[name]:6.2f} s   {ratio:5.1f} times ours ({bar}){verdict}")
    return missed


def shown_concurrency(few: Open, many: Open) -> bool:
    """Print what a packet costs with few and with many conversations; whether a bar is missed."""
    ratio = many.cost / few.cost
    print("\nconversations open at one time")
    print(f"  {few.held:>9,} {few.cost:6.1f} ns a packet")
    print(f"  {many.held:>9,} {many.cost:6.1f} ns a packet   {ratio:.1f} times (at most {COST_BAR:g})")
    print(f"  {'':>9} {many.memory:6.0f} MB (at most {MEMORY_BAR_MB:.0f}), {CONVERSATION_SIZE} bytes a conversation")
    return ratio > COST_BAR or many.memory > MEMORY_BAR_MB or many.held != 1_000_000


if __name__ == "__main__":
    sys.exit(main())
