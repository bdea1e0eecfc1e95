"""With CI=true nothing is skipped in silence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
SUITE = """
import pytest

def test_runs(): pass

def test_lacks_a_tool(): pytest.skip("needs frobnicate")

@pytest.mark.beside
def test_lacks_a_neighbour(): pytest.skip("no captures")
"""
LACKING_MODULE = 'import pytest\npytest.skip("needs frobnicate", allow_module_level=True)\n'


@pytest.mark.parametrize(
    ("setting", "closing"), [("true", "1 failed, 1 passed, 1 skipped, 1 error"), ("", "1 passed, 3 skipped")]
)
def test_a_skip_for_want_of_a_tool_fails_the_run_in_ci_only(setting: str, closing: str, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST.read_text())
    (tmp_path / "test_suite.py").write_text(SUITE)
    (tmp_path / "test_module.py").write_text(LACKING_MODULE)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--continue-on-collection-errors",
            str(tmp_path),
        ],
        cwd=tmp_path,
        env={**os.environ, "CI": setting},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines()[-1].startswith(closing), done.stdout
    assert (done.returncode == 0) is (setting == "")
