"""Fault points: nothing without the variable, death at the one that it names; each stands in the code once."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import netcrier
import pytest
from netcrier.runtime.faults import POINTS, VARIABLE

FOLDERS = ("masterd", "noded", "runtime")
SOURCE = "".join(
    path.read_text() for folder in FOLDERS for path in Path(netcrier.__file__).parent.joinpath(folder).rglob("*.py")
)


def died(fault: str | None, *names: str) -> int:
    code = "import sys\nfrom netcrier.runtime.faults import point\nfor name in sys.argv[1:]:\n    point(name)"
    environ = {name: value for name, value in os.environ.items() if name != VARIABLE}
    environ |= {VARIABLE: fault} if fault else {}
    return subprocess.run([sys.executable, "-c", code, *names], env=environ, check=False, stderr=-3).returncode


@pytest.mark.parametrize("name", sorted(POINTS))
def test_every_point_stands_in_the_code_once(name: str) -> None:
    assert len(re.findall(re.escape(f'point("{name}")'), SOURCE)) == 1


def test_a_daemon_dies_at_the_point_and_time_that_are_named() -> None:
    first, other = sorted(POINTS)[:2]
    assert died(None, first, first) == 0
    assert died(first, other) == 0
    assert died(first, first) == -signal.SIGKILL
    assert died(f"{first}:2", first, other) == 0
    assert died(f"{first}:2", first, first) == -signal.SIGKILL
    assert died("no such point") != 0
