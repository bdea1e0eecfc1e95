"""packaging/bootstrap: what a machine lacks is named with the command that installs it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BOOTSTRAP = Path(__file__).parents[2] / "packaging" / "bootstrap"


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A directory of programs without apt-get and gcc, to be all of PATH but sbin."""
    for program in ("sh", "id"):
        (tmp_path / program).symlink_to(str(shutil.which(program)))
    return tmp_path


def bootstrap(goal: str, programs: Path, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BOOTSTRAP), goal],
        env={"PATH": str(programs), "PYTHON": python},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_what_is_lacking_is_named_with_the_exact_command(bare: Path) -> None:
    done = bootstrap("demo", bare)
    assert done.returncode == 1
    command = done.stderr.splitlines()[-1].split()
    assert command[:5] == ["sudo", "apt-get", "install", "-y", "--no-install-recommends"]
    assert {"gcc", "libc6-dev"} <= set(command[5:])
    assert "git" not in command, "the demo needs no git"
    assert "git" in bootstrap("test", bare).stderr.split()


def test_without_any_python_that_is_named_too(bare: Path) -> None:
    done = bootstrap("demo", bare, "python-that-is-not-there")
    assert done.returncode == 1
    assert {"python3", "python3-venv", "python3-dev"} <= set(done.stderr.split())
