"""The engine under AddressSanitizer: each packet in an object of its own size, so that one byte too far is caught.

The same run against an engine whose checks were taken out shows that an overrun would be found.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parents[2] / "daemons/netcrier/analyzerd/engine"
FLAGS = ("-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address", "-fPIC", "-shared", "-w")
RUN = """
import array, random, sys
sys.path.insert(0, sys.argv[1])
import kernel
seed, rounds = int(sys.argv[2]), int(sys.argv[3])
chance = random.Random(seed)
mac = bytes(12)
ip4 = bytes.fromhex("4500002800010000400600000a0000010a000002")
ip6 = bytes.fromhex("6000000000282c40") + bytes(32)
def udp(port):
    return mac + b"\\x08\\0" + ip4[:9] + b"\\x11" + ip4[10:] + port.to_bytes(2, "big") * 2 + bytes(4)
tunnels = [
    udp(4789) + b"\\x08" + bytes(7) + mac + b"\\x08\\0",
    udp(6081) + b"\\0\\0\\x65\\x58" + bytes(4),
    udp(2152) + b"\\x30\\xff",
    udp(3544) + b"\\0\\1",
    udp(5072) + b"\\x40\\x52\\x11\\x29",
    mac + b"\\x08\\0" + ip4[:9] + b"\\x2f" + ip4[10:],
]
starts = [*tunnels, b"", ip4, ip6]
starts += [mac + b"\\x08\\0" + ip4, mac + b"\\x86\\xdd" + ip6, mac + b"\\x81\\0\\0\\1\\x08\\0" + ip4]
def segment():
    body = chance.randbytes(chance.randrange(300))
    head = (4000).to_bytes(2, "big") + (80).to_bytes(2, "big") + chance.randrange(2000).to_bytes(4, "big")
    flags = chance.choice([2, 16, 16, 16, 16, 17, 18, 4])
    head += chance.randrange(2000).to_bytes(4, "big") + bytes([0x50, flags]) + bytes(6)
    return mac + b"\\x08\\0" + ip4[:2] + (40 + len(body)).to_bytes(2, "big") + ip4[4:] + head + body
def fragment():
    body = chance.randbytes(chance.randrange(1, 200))
    field = (chance.randrange(40) | chance.choice([0, 0x2000])).to_bytes(2, "big")
    head = ip4[:2] + (20 + len(body)).to_bytes(2, "big") + bytes([0, chance.randrange(4)]) + field + ip4[8:9] + b"\\x11"
    return mac + b"\\x08\\0" + head + ip4[10:] + body
def read(engine):
    records = b""
    for _ in range(8):
        frame = segment()
        records += bytes(8) + len(frame).to_bytes(4, "little") * 2 + frame
    for kind in (6, 2, 3):
        records += bytes([kind, 0, 0, 0]) + (32).to_bytes(4, "little") + chance.randbytes(24)
    data = bytearray(records)
    for _ in range(chance.randrange(6)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    del data[chance.randrange(len(data) + 1):]
    exact = array.array("B", data)
    portion, scout = kernel.Portion(exact), kernel.Scout(engine)
    portion.add(len(exact))
    scout.open(portion)
    scout.pcap(0, len(exact), big=chance.random() < 0.2, link=1, nanoseconds=False)
    scout.section(big=chance.random() < 0.5)
    scout.add_interface(1, 10**6, 0, 96)
    for at in range(0, len(exact), 97):
        scout.pcapng(at, len(exact))
    while engine.follow(portion):
        engine.take()
    engine.open(None)
engine = kernel.Kernel(seed=bytes(24), most=64, checksums=0, streams=1 << 14, interim=1)
for number in range(rounds):
    made = chance.random()
    data = bytearray(chance.choice(starts) + chance.randbytes(chance.randrange(60)))
    if made < 0.4:
        data = bytearray(segment() if made < 0.2 else fragment())
    if made > 0.4 and len(data) > 24 and chance.random() < 0.5:
        data[23] = chance.choice([1, 4, 6, 17, 41, 47, 50, 58, 132])
    if made > 0.4 and chance.random() < 0.5:
        del data[chance.randrange(len(data) + 1):]
    exact = array.array("B", data)  # its own allocation, of exactly this size
    link = chance.choice([0, 1, 1, 1, 12, 105, 113, 119, 127, 192, 239, 276])
    engine.packet(exact, number * 10**8, link=link, wire=2000)
    if number % 50 == 0:
        read(engine)
        engine.deliveries()
        engine.answer(number % 64, chance.randrange(99), 0, skip=9, done=chance.random() < 0.1)
engine.flush()
print(len(engine.take()) > 0, engine.counters["received"] >= rounds)
"""

GCC = shutil.which("gcc") or "gcc"

needs_compiler = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")


def build(into: Path, planted: bool) -> None:
    """Compile the engine, or one with its bounds checks and a length check taken out."""
    sources = into / "sources"
    shutil.copytree(SOURCES, sources, ignore=shutil.ignore_patterns("*.so", "*.c", "*.py*", "__pycache__"))
    shutil.copy(SOURCES / "kernel.pyx", sources)
    if planted:
        for name, old, new in (
            ("kernel.pyx", "boundscheck=True", "boundscheck=False"),
            ("transport.pxi", "        if have < 20:\n", "        if have < 1:\n"),
        ):
            text = (sources / name).read_text()
            assert old in text
            (sources / name).write_text(text.replace(old, new))
    subprocess.run([sys.executable, "-m", "cython", "-3", "kernel.pyx"], cwd=sources, check=True, timeout=120)
    include = f"-I{sysconfig.get_paths()['include']}"
    target = into / f"kernel{sysconfig.get_config_var('EXT_SUFFIX')}"
    subprocess.run([GCC, *FLAGS, include, "kernel.c", "-o", str(target)], cwd=sources, check=True, timeout=300)


def run(folder: Path, seed: int, rounds: int) -> subprocess.CompletedProcess[str]:
    """Feed random packets in a process of its own."""
    runtime = subprocess.run(
        [GCC, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True, timeout=10
    ).stdout.strip()
    environ = {
        **os.environ,
        "LD_PRELOAD": runtime,
        "PYTHONMALLOC": "malloc",
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
    }
    command = [sys.executable, "-c", RUN, str(folder), str(seed), str(rounds)]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)


@needs_compiler
def test_random_packets_are_read_within_their_bounds(tmp_path: Path) -> None:
    build(tmp_path, planted=False)
    done = run(tmp_path, seed=1, rounds=20_000)
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.split() == ["True", "True"]


@needs_compiler
def test_a_planted_overrun_is_caught(tmp_path: Path) -> None:
    build(tmp_path, planted=True)
    done = run(tmp_path, seed=1, rounds=20_000)
    assert done.returncode != 0
    assert "AddressSanitizer: heap-buffer-overflow" in done.stderr
