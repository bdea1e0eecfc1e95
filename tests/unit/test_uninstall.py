"""packaging/uninstall.sh takes what packaging/install.sh put there, and nothing else."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "packaging/uninstall.sh"
PROGRAMS = ("masterd", "noded", "analyzerd", "netctl")
KEPT = ("etc/netcrier/masterd.toml", "var/lib/netcrier/masterd/identity", "var/log/netcrier/noded/messages.log")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """What an installation under DESTDIR with PREFIX=/opt/other leaves, and files of others in the same folders."""
    installed = [f"opt/other/bin/{program}" for program in PROGRAMS]
    installed += [f"usr/local/lib/systemd/system/{unit.name}" for unit in (ROOT / "systemd").iterdir()]
    installed += [f"usr/local/lib/{kind}/netcrier.conf" for kind in ("sysusers.d", "tmpfiles.d")]
    others = ["opt/else/x", "usr/local/lib/systemd/system/else.service", "usr/local/bin/else"]
    for name in (*installed, *others, *KEPT):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o755)
    for program in PROGRAMS:
        (tmp_path / "usr/local/bin" / program).symlink_to(f"/opt/other/bin/{program}")
    return tmp_path


def uninstall(place: Path, *words: str, prefix: str = "/opt/other") -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"], "DESTDIR": str(place), "PREFIX": prefix}
    return subprocess.run([SCRIPT, *words], env=environ, capture_output=True, text=True, timeout=30)


def left(place: Path) -> set[str]:
    return {str(path.relative_to(place)) for path in place.rglob("*") if path.is_symlink() or path.is_file()}


OTHERS = {"opt/else/x", "usr/local/lib/systemd/system/else.service", "usr/local/bin/else"}


def test_configuration_state_and_logs_stay(place: Path) -> None:
    done = uninstall(place)
    assert done.returncode == 0, done.stderr
    assert left(place) == OTHERS | set(KEPT)
    assert "--purge takes them too" in done.stderr


def test_purge_leaves_nothing_of_ours(place: Path) -> None:
    assert uninstall(place, "--purge").returncode == 0
    assert left(place) == OTHERS
    assert uninstall(place, "--purge").returncode == 0, "a second time does no harm"


def test_a_link_of_another_installation_stays(place: Path) -> None:
    link = place / "usr/local/bin/netctl"
    link.unlink()
    link.symlink_to("/opt/newer/bin/netctl")
    assert uninstall(place).returncode == 0
    assert left(place) == OTHERS | set(KEPT) | {"usr/local/bin/netctl"}


def test_a_folder_that_is_no_installation_is_not_removed(place: Path) -> None:
    done = uninstall(place, prefix="/opt/else")
    assert (done.returncode, done.stderr) == (1, f"uninstall.sh: {place}/opt/else holds no netctl: is PREFIX right?\n")
    assert "opt/else/x" in left(place)


@pytest.mark.parametrize("words", [["--all"], ["--purge", "now"]])
def test_unknown_words_change_nothing(place: Path, words: list[str]) -> None:
    before = left(place)
    assert uninstall(place, *words).returncode == 2
    assert left(place) == before


def test_help_says_what_purge_takes(place: Path) -> None:
    done = uninstall(place, "--help")
    assert done.returncode == 0
    assert "--purge  also configuration, keys, state and logs" in done.stdout
