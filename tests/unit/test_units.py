"""The unit files: valid, hardened as promised, in agreement with users and directories."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXPOSURE = {"masterd": 1.5, "noded": 1.5, "analyzerd": 2.0}


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("needs systemd-analyze: apt-get install systemd")
    return subprocess.run([program, *words], capture_output=True, text=True, timeout=60, check=False)


def service(daemon: str) -> dict[str, str]:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # the documented way to keep the case of keys
    parser.read(ROOT / "systemd" / f"{daemon}.service")
    return dict(parser["Service"])


@pytest.mark.parametrize("daemon", EXPOSURE)
def test_unit_is_valid(daemon: str, tmp_path: Path) -> None:
    """verify exits 0 even for an unknown key, so its standard error has to be empty."""
    text = (ROOT / "systemd" / f"{daemon}.service").read_text()
    unit = tmp_path / f"{daemon}.service"
    unit.write_text(text.replace(f"ExecStart={daemon}", "ExecStart=/bin/true"))  # not installed on this machine
    done = analyze("verify", "--recursive-errors=no", "--man=no", str(unit))
    assert (done.stderr, done.returncode) == ("", 0)


@pytest.mark.parametrize("daemon", EXPOSURE)
def test_exposure_is_at_most_what_is_promised(daemon: str) -> None:
    done = analyze("security", "--offline=true", "--no-pager", str(ROOT / "systemd" / f"{daemon}.service"))
    found = re.search(r"Overall exposure level for \S+: (\d+\.\d)", done.stdout)
    assert found, done.stderr
    assert float(found[1]) <= EXPOSURE[daemon]


@pytest.mark.parametrize("daemon", EXPOSURE)
def test_each_daemon_has_a_user_and_directories_of_its_own(daemon: str) -> None:
    unit = service(daemon)
    users = (ROOT / "packaging" / "netcrier.sysusers").read_text()
    assert unit["User"] == f"netcrier-{daemon}"
    assert re.search(rf"^u {unit['User']} ", users, re.MULTILINE)
    assert re.search(rf"^m {unit['User']} +netcrier-run$", users, re.MULTILINE)
    assert unit["StateDirectory"] == unit["LogsDirectory"] == f"netcrier/{daemon}"
    assert unit["StateDirectoryMode"] == "0700"
    assert "RuntimeDirectory" not in unit


@pytest.mark.parametrize("daemon", EXPOSURE)
def test_a_bad_configuration_or_a_missing_right_is_not_restarted(daemon: str) -> None:
    unit = service(daemon)
    assert (unit["Type"], unit["NotifyAccess"], unit["Restart"]) == ("notify", "main", "on-failure")
    assert unit["RestartPreventExitStatus"].split() == ["77", "78"]
    assert int(unit["WatchdogSec"]) > 0


def test_only_the_analyzer_has_a_capability() -> None:
    sets = {daemon: service(daemon)["CapabilityBoundingSet"] for daemon in EXPOSURE}
    assert sets == {"masterd": "", "noded": "", "analyzerd": "CAP_NET_RAW"}
    assert "AmbientCapabilities" not in service("masterd") | service("noded")


def test_the_sockets_directory_is_sticky_and_belongs_to_no_daemon() -> None:
    line = next(
        line
        for line in (ROOT / "packaging" / "netcrier.tmpfiles").read_text().splitlines()
        if line.startswith("d /run/netcrier ")
    )
    assert line.split()[2:5] == ["1775", "root", "netcrier-run"]
