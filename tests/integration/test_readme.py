"""The README's tour: every command of it, as written, in a network namespace of its own."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from netcrier_ctl.lab import Lab

README = Path(__file__).parents[2] / "README.md"
TOUR = re.compile(r"<!-- tour: .*? -->\n\n((?:    .*\n|\n)+)")
# A reader takes a second between two commands; the test waits for what the second gives.
WAIT = (
    'for _ in $(seq 200); do netctl nodes --json | grep -q \'"state": *"here"\' && break; sleep 0.05; done;'
    ' netctl nodes --json | grep -q \'"state": *"here"\''
)


def tour() -> list[str]:
    """The commands, in order."""
    found = TOUR.search(README.read_text())
    assert found, "the README has no tour"
    return [line.strip() for line in found.group(1).splitlines() if line.strip()]


def test_the_tour_runs_as_written(tmp_path: Path) -> None:
    commands = tour()
    assert len(commands) > 15
    script = ["set -e", f"cd {tmp_path}"]
    for command in commands:
        script += [f"echo '>>> '{command.split()[0]} >&2", command]
        if command.startswith("noded "):
            script.append(WAIT)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with Lab(["here"]) as lab:
        done = lab.run("here", ["bash", "-c", "\n".join(script)], env={"PATH": path}, timeout=60)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "1 of 1 received" in done.stdout
    assert "Backup starts at 22:00" in done.stdout
