"""A bounded coverage-guided run over decoder, reassembly, streams and readers finds nothing; a planted bug it finds.

Each input is in memory of just its size under AddressSanitizer; an exception other than those of a broken capture, a
line that is no JSON and a balance that does not hold are crashes too.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.fuzz import build, seeds

pytest.importorskip("atheris")
pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")

UNCHECKED = ("kernel.pyx", "boundscheck=True", "boundscheck=False")
BUG = ("transport.pxi", "        if have < 20:\n", "        if have < 1:\n")
"""A TCP header is no longer held against the end of the packet."""


def runs(done: subprocess.CompletedProcess[str]) -> int:
    """How many inputs were tried."""
    found = re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
    assert found, done.stderr[-4000:]
    return int(found[1])


def coverage(done: subprocess.CompletedProcess[str]) -> list[int]:
    """Edges seen at the beginning and at the end."""
    seen = [int(number) for number in re.findall(r"cov: (\d+)", done.stderr)]
    return [seen[0], seen[-1]]


def test_the_engine_reads_what_the_fuzzer_thinks_of(tmp_path: Path) -> None:
    build.build(tmp_path)
    done = build.fuzz(15, tmp_path, sanitized=True)
    assert done.returncode == 0, done.stderr[-4000:]
    assert runs(done) > 1000
    first, last = coverage(done)
    assert last > first > 1000, "inputs that the seeds did not have lead somewhere new"


def test_the_readers_take_what_the_fuzzer_thinks_of(tmp_path: Path) -> None:
    done = build.fuzz(10, tmp_path, sanitized=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert runs(done) > 1000
    first, last = coverage(done)
    assert last > first > 100, "the readers are watched"


def test_a_planted_overrun_is_found(tmp_path: Path) -> None:
    build.build(tmp_path, (UNCHECKED, BUG))
    done = build.fuzz(60, tmp_path, sanitized=True)
    assert done.returncode != 0
    assert "AddressSanitizer: heap-buffer-overflow" in done.stderr, done.stderr[-4000:]
    assert runs(done) > len(seeds.seeds()), "none of the seeds has it"
