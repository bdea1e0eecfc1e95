"""The README's tour: every command of it, as written, in a network namespace of its own."""

from __future__ import annotations

import os
import re
import sys
import textwrap
from pathlib import Path

from netcrier_ctl.lab import Lab

from tests.site import Site

README = Path(__file__).parents[2] / "README.md"
BLOCK = r"<!-- {}: .*? -->\n\n((?:    .*\n|\n)+)"
# A reader takes a second between two commands; the test waits for what the second gives.
WAIT = (
    'for _ in $(seq 200); do netctl nodes --json | grep -q \'"state": *"here"\' && break; sleep 0.05; done;'
    ' netctl nodes --json | grep -q \'"state": *"here"\''
)


def block(name: str) -> str:
    """The indented block behind the mark of this name."""
    found = re.search(BLOCK.format(name), README.read_text())
    assert found, f"the README has no {name}"
    return textwrap.dedent(found.group(1))


def test_the_tour_runs_as_written(tmp_path: Path) -> None:
    commands = [line for line in block("tour").splitlines() if line]
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


def test_the_script_reads_messages_from_the_socket(tmp_path: Path) -> None:
    with Lab(["master", "node1"]) as lab:
        here = Site(lab, tmp_path)
        here.start_master()
        node = here.start_node("node1")
        here.wait_enrolled()
        here.broadcast(b"for scripts too")
        here.wait_received(1)
        done = lab.run("node1", [sys.executable, "-c", block("script")], env=node.environ)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1 for scripts too\n"
