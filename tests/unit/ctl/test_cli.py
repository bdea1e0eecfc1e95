from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("asyncio", "nacl", "subprocess", "logging", "sqlite3", "ssl", "shutil", "tempfile", "email", "difflib",
         "importlib.metadata", "dataclasses", "random", "hashlib", "json", "typing_extensions", "scapy")  # fmt: skip


def netctl(
    *words: str, place: Path, code: str = "import netcrier_ctl.cli as c; sys.exit(c.main())"
) -> tuple[int, str, str]:
    environ = {**os.environ, "NETCRIER_RUNTIME_DIR": str(place), "NETCRIER_LOG_DIR": str(place)}
    ran = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}", *words], env=environ, capture_output=True, text=True, timeout=30
    )  # fmt: skip
    return ran.returncode, ran.stdout, ran.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["nodes"],
        ["broadcast", "x"],
        ["receipts", "1"],
        ["messages"],
        ["logs"],
        ["flows"],
        ["token", "--ttl", "1h"],
        ["version"],
    ],
)
def test_a_common_call_imports_nothing_heavy(words: list[str], tmp_path: Path) -> None:
    code = (
        "import netcrier_ctl.cli as c; before = set(sys.modules); c.main();"
        "print('\\nLOADED', *sorted(set(sys.modules) - before))"
    )
    _, out, err = netctl(*words, place=tmp_path, code=code)
    assert "Traceback" not in err
    loaded = out.rpartition("LOADED")[2].split()
    assert "netcrier.control.client" in loaded
    assert [name for name in loaded if name.startswith(tuple(HEAVY))] == []


def test_only_the_module_of_the_command_is_imported(tmp_path: Path) -> None:
    code = "import netcrier_ctl.cli as c; c.main(); print('\\nLOADED', *sys.modules)"
    _, out, _ = netctl("status", place=tmp_path, code=code)
    commands = {name for name in out.rpartition("LOADED")[2].split() if name.startswith("netcrier_ctl.commands.")}
    assert commands == {"netcrier_ctl.commands.status"}


def test_where_nothing_runs_status_says_so_and_ends_with_3(tmp_path: Path) -> None:
    code, out, err = netctl("status", place=tmp_path)
    assert (code, err) == (3, "")
    assert [line.split()[:3] for line in out.splitlines()] == [
        ["masterd", "not", "running"],
        ["noded", "not", "running"],
        ["analyzerd", "not", "running"],
    ]


def test_a_reader_that_leaves_ends_it_without_a_trace(tmp_path: Path) -> None:
    code = (
        "import os, netcrier_ctl.cli as c; from netcrier_ctl.commands import status;"
        "read, write = os.pipe(); os.close(read); os.dup2(write, 1); sys.exit(c.main())"
    )
    status, _, err = netctl("status", place=tmp_path, code=code)
    assert (status, err) == (141, "")


def test_ctrl_c_ends_it_without_a_trace(tmp_path: Path) -> None:
    code = (
        "import netcrier_ctl.cli as c; from netcrier_ctl.commands import status\n"
        "def run(session, args): raise KeyboardInterrupt\n"
        "status.run = run; sys.exit(c.main())"
    )
    status, _, err = netctl("status", place=tmp_path, code=code)
    assert (status, err) == (130, "")


def test_closed_streams_are_no_fault(tmp_path: Path) -> None:
    environ = {**os.environ, "NETCRIER_RUNTIME_DIR": str(tmp_path)}
    command = f"exec {sys.executable} -m netcrier_ctl.cli status <&- >&- 2>&-"
    assert subprocess.run(["/bin/sh", "-c", command], env=environ, timeout=30).returncode == 3
