"""The unit files, sysusers.d and tmpfiles.d say what the daemons need, and systemd accepts them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from netcrier.control.paths import DAEMONS, DEFAULTS, LOG_DIR, RUNTIME_DIR, STATE_DIR
from netcrier.control.rights import CHANGERS, READERS
from netcrier.ids import LANES
from netcrier.noded.config import HandlersSection
from netcrier.noded.programs import runner
from netcrier.noded.programs.handling import SOCKET
from netcrier.runtime.program import EX_CONFIG, EX_NOPERM

ROOT = Path(__file__).resolve().parents[2]
UNITS = [ROOT / "systemd" / f"{daemon}.service" for daemon in DAEMONS]
HANDLER = [ROOT / "systemd" / f"netcrier-handler{kind}" for kind in (".socket", "@.service")]
SYSUSERS = ROOT / "packaging" / "sysusers.d" / "netcrier.conf"
TMPFILES = ROOT / "packaging" / "tmpfiles.d" / "netcrier.conf"

EXPOSURE = {"masterd": 15, "noded": 15, "analyzerd": 20, "netcrier-handler@": 20}
"""The most that `systemd-analyze security` may say, in tenths."""

ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is missing: apt-get install systemd")

each_unit = pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)


def _settings(unit: Path) -> dict[str, list[str]]:
    """The values of each key, in their order."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def _rows(file: Path) -> Iterator[list[str]]:
    for line in file.read_text().splitlines():
        if line and not line.startswith("#"):
            yield line.split()


def _analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    assert ANALYZE
    return subprocess.run([ANALYZE, *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_every_daemon_has_a_unit_and_no_unit_is_without_a_daemon() -> None:
    there = sorted(path.name for path in (ROOT / "systemd").iterdir() if path not in HANDLER)
    assert there == sorted(unit.name for unit in UNITS)


@each_unit
def test_the_manager_learns_readiness_and_life_from_the_daemon_itself(unit: Path) -> None:
    settings = _settings(unit)
    assert settings["Type"] == ["notify"]
    assert settings["NotifyAccess"] == ["main"]
    assert settings["WatchdogSec"] == ["30s"]
    assert settings["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert settings["ExecStart"] == [f"/opt/netcrier/bin/{unit.stem}"]


@each_unit
def test_a_failed_daemon_starts_again_unless_that_cannot_help(unit: Path) -> None:
    settings = _settings(unit)
    assert settings["Restart"] == ["on-failure"]
    assert settings["RestartPreventExitStatus"] == [f"{EX_NOPERM} {EX_CONFIG}"]


@each_unit
def test_state_and_logs_are_where_the_daemon_looks_and_closed_to_others(unit: Path) -> None:
    settings = _settings(unit)
    assert settings["StateDirectory"] == [f"netcrier/{unit.stem}"]
    assert settings["LogsDirectory"] == [f"netcrier/{unit.stem}"]
    assert Path("/var/lib/netcrier") == Path(DEFAULTS[STATE_DIR])
    assert Path("/var/log/netcrier") == Path(DEFAULTS[LOG_DIR])
    assert (settings["StateDirectoryMode"], settings["LogsDirectoryMode"]) == (["0700"], ["0750"])
    assert settings["UMask"] == ["0027"]
    assert "Group" not in settings  # its user's own: a daemon in the readers' group could read the others


@each_unit
def test_a_stop_takes_no_other_daemons_socket_away(unit: Path) -> None:
    settings = _settings(unit)
    assert "RuntimeDirectory" not in settings
    assert settings["ReadWritePaths"] == [DEFAULTS[RUNTIME_DIR]]


@each_unit
def test_callers_keep_their_ids(unit: Path) -> None:
    """With PrivateUsers= every caller but root would be nobody (rights.py) and get nothing."""
    assert "PrivateUsers" not in _settings(unit)


@each_unit
def test_a_daemon_has_a_user_of_its_own_that_may_make_sockets(unit: Path) -> None:
    [user] = _settings(unit)["User"]
    assert user == f"netcrier-{unit.stem}"
    assert [row for row in _rows(SYSUSERS) if row[:2] == ["u", user]]
    assert ["m", user, "netcrier-daemons"] in list(_rows(SYSUSERS))


@pytest.mark.parametrize(
    ("daemon", "capability"), [("masterd", ""), ("noded", ""), ("analyzerd", "CAP_NET_RAW")], ids=DAEMONS
)
def test_only_the_analyzer_holds_a_capability(daemon: str, capability: str) -> None:
    settings = _settings(ROOT / "systemd" / f"{daemon}.service")
    assert settings["CapabilityBoundingSet"] == settings["AmbientCapabilities"] == [capability]


def test_the_groups_that_grant_rights_are_made() -> None:
    made = {row[1] for row in _rows(SYSUSERS) if row[0] == "g"}
    assert made == {READERS, CHANGERS, "netcrier-daemons"}


def test_daemons_share_a_directory_in_which_each_removes_only_its_own_socket() -> None:
    rows = {row[1]: row[2:5] for row in _rows(TMPFILES) if row[0] == "d"}
    assert rows[DEFAULTS[RUNTIME_DIR]] == ["1775", "root", "netcrier-daemons"]


@pytest.mark.parametrize("daemon", DAEMONS)
def test_readers_are_given_the_logs(daemon: str) -> None:
    logs = f"{DEFAULTS[LOG_DIR]}/{daemon}"
    assert ["a+", logs, "-", "-", "-", "-", f"group:{READERS}:r-x,default:group:{READERS}:r-x"] in list(_rows(TMPFILES))


def test_handlers_have_a_user_who_is_no_daemon_and_a_socket_that_only_noded_may_use() -> None:
    listening, running = map(_settings, HANDLER)
    assert listening["ListenStream"] == [f"{DEFAULTS[RUNTIME_DIR]}/{SOCKET}"]
    assert (listening["SocketUser"], listening["SocketMode"]) == (["netcrier-noded"], ["0600"])
    assert listening["Accept"] == ["yes"]
    assert running["StandardInput"] == running["StandardOutput"] == ["socket"]
    [user] = running["User"]
    assert [row for row in _rows(SYSUSERS) if row[:2] == ["u", user]]
    assert not [row for row in _rows(SYSUSERS) if row[:2] == ["m", user]]
    assert running["CapabilityBoundingSet"] == [""]
    assert running["ExecStart"] == [f"/opt/netcrier/bin/python -I -m {runner.__name__}"]


def test_the_socket_takes_as_many_handlers_as_a_configuration_can_ask_for() -> None:
    [most] = _settings(HANDLER[0])["MaxConnections"]
    running = next(field for field in msgspec.structs.fields(HandlersSection) if field.name == "running")
    assert isinstance(kind := msgspec.inspect.type_info(running.type), msgspec.inspect.IntType)
    assert kind.le is not None
    assert int(most) == kind.le + len(LANES)


def test_a_handler_may_run_as_long_as_a_configuration_can_ask_for() -> None:
    [most] = _settings(HANDLER[1])["RuntimeMaxSec"]
    assert int(most.removesuffix("s")) >= runner.SECONDS_MAX + 60


def test_noded_wants_the_socket_and_the_folder_is_made_for_root_alone() -> None:
    assert _settings(ROOT / "systemd" / "noded.service")["Wants"] == [HANDLER[0].name]
    rows = {row[1]: row[2:5] for row in _rows(TMPFILES) if row[0] == "d"}
    assert rows["/etc/netcrier/handlers.d"] == ["0755", "root", "root"]


@needs_systemd
def test_systemd_finds_no_fault_in_the_handlers_units(tmp_path: Path) -> None:
    for unit in HANDLER:
        (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/netcrier/bin/python", "/bin/true"))
    result = _analyze("verify", "--man=no", *(tmp_path / unit.name for unit in HANDLER))
    assert (result.returncode, result.stderr) == (0, "")


@needs_systemd
@each_unit
def test_systemd_finds_no_fault_in_the_unit(unit: Path, tmp_path: Path) -> None:
    """The program is not installed here, so one that exists stands for it. Faults are told on standard error alone."""
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace(f"/opt/netcrier/bin/{unit.stem}", "/bin/true"))
    result = _analyze("verify", "--man=no", copy)
    assert (result.returncode, result.stderr) == (0, "")


@needs_systemd
def test_an_unknown_key_would_be_found(tmp_path: Path) -> None:
    copy = tmp_path / "noded.service"
    copy.write_text("[Service]\nExecStart=/bin/true\nWatchdogSecond=30s\n")
    assert "WatchdogSecond" in _analyze("verify", "--man=no", copy).stderr


@needs_systemd
@pytest.mark.parametrize("unit", [*UNITS, HANDLER[1]], ids=lambda unit: unit.stem)
def test_exposure_is_low(unit: Path) -> None:
    result = _analyze("security", "--offline=true", f"--threshold={EXPOSURE[unit.stem]}", unit)
    assert result.returncode == 0, result.stdout[-2000:]
