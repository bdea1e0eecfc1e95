"""A daemon's life as a process: flags, exit statuses, signals, the service manager, detaching."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from netcrier.control.client import Client
from netcrier.control.failures import ControlError, Refused
from netcrier.control.methods import CONFIG_SHOW, RELOAD

ROOT = Path(__file__).parents[2]
PATIENCE = 15.0
"""Seconds for a process to come or go."""


@pytest.fixture
def environ(tmp_path: Path) -> Mapping[str, str]:
    places = {f"NETCRIER_{name.upper()}_DIR": str(tmp_path / name) for name in ("runtime", "log", "state", "config")}
    (tmp_path / "config").mkdir()
    return {**os.environ, **places}


def _run(environ: Mapping[str, str], *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.small_daemon", *arguments],
        cwd=ROOT, env={**environ, **extra}, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def _hear_all(manager: socket.socket) -> None:
    while True:
        manager.recv(1000)


@pytest.fixture
def running(environ: Mapping[str, str], tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-m", "tests.small_daemon"], cwd=ROOT, env=environ)
    try:
        _until((tmp_path / "runtime" / "masterd.sock").exists)
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_stop_is_clean_and_its_status_is_0(running: subprocess.Popen[bytes], tmp_path: Path) -> None:
    running.send_signal(signal.SIGTERM)
    assert running.wait(PATIENCE) == 0
    assert (tmp_path / "state" / "masterd" / "stopped").exists()
    assert not (tmp_path / "runtime" / "masterd.sock").exists()


def test_after_kill_9_the_next_start_takes_the_socket(
    running: subprocess.Popen[bytes], environ: Mapping[str, str], tmp_path: Path
) -> None:
    running.kill()
    running.wait()
    path = tmp_path / "runtime" / "masterd.sock"
    assert path.exists()
    with subprocess.Popen([sys.executable, "-m", "tests.small_daemon"], cwd=ROOT, env=environ) as second:
        _until(lambda: _greets(path))
        second.terminate()
        assert second.wait(PATIENCE) == 0


def _greets(path: Path) -> bool:
    try:
        with Client(path, timeout=1) as client:
            return client.welcome.daemon == "masterd"
    except ControlError:
        return False


def test_a_second_daemon_on_one_socket_is_a_temporary_failure(
    running: subprocess.Popen[bytes], environ: Mapping[str, str]
) -> None:
    second = _run(environ)
    assert second.returncode == 75
    assert "another daemon" in second.stderr
    assert running.poll() is None


@pytest.mark.parametrize(("failure", "status"), [("capability", 77), ("store", 78), ("temporary", 75), ("fault", 1)])
def test_the_status_tells_whether_starting_again_can_help(
    environ: Mapping[str, str], failure: str, status: int
) -> None:
    ended = _run(environ, NETCRIER_FAIL=failure)
    assert ended.returncode == status
    assert ("traceback" in ended.stderr) == (failure == "fault")


@pytest.mark.parametrize("flags", [("--check-config",), ()])
def test_an_unknown_key_is_status_78_with_file_line_and_a_near_match(
    environ: Mapping[str, str], tmp_path: Path, flags: tuple[str, ...]
) -> None:
    file = tmp_path / "config" / "masterd.toml"
    file.write_text("# mine\ngruop = 'x'\n")
    ended = _run(environ, *flags)
    assert ended.returncode == 78
    assert ended.stderr == f"masterd: {file}:2: unknown key `gruop`; did you mean `group`?\n"


def test_a_good_configuration_is_said_to_be_good(environ: Mapping[str, str], tmp_path: Path) -> None:
    (tmp_path / "config" / "masterd.toml").write_text("group = 'lab'\n")
    ended = _run(environ, "--check-config")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert not (tmp_path / "state").exists()


def test_a_configuration_that_was_named_must_exist(environ: Mapping[str, str], tmp_path: Path) -> None:
    assert _run(environ, "--config", str(tmp_path / "none.toml")).returncode == 78


def test_reload_takes_a_good_file_and_keeps_the_old_for_a_bad_one(
    running: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    file = tmp_path / "config" / "masterd.toml"
    with Client(tmp_path / "runtime" / "masterd.sock") as client:

        def group() -> tuple[str, str]:
            (row,) = [row for row in client.call(CONFIG_SHOW).values if row.key == "group"]
            return row.value, row.origin

        assert group() == ('"default"', "default")
        file.write_text("group = 'lab'\n")
        assert client.call(RELOAD).changed == ["group"]
        assert group() == ('"lab"', f"{file}:1")
        file.write_text("gruop = 'other'\n")
        with pytest.raises(Refused, match="did you mean") as error:
            client.call(RELOAD)
        assert error.value.code == "config"
        running.send_signal(signal.SIGHUP)
        assert group() == ('"lab"', f"{file}:1")
        file.write_text("group = 'third'\n")
        running.send_signal(signal.SIGHUP)
        _until(lambda: group()[0] == '"third"')


def test_the_service_manager_hears_of_ready_life_and_stop(environ: Mapping[str, str], tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE)
        extra = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
        with subprocess.Popen(
            [sys.executable, "-m", "tests.small_daemon"], cwd=ROOT, env={**environ, **extra}
        ) as process:
            assert manager.recv(1000) == b"READY=1\nSTATUS=group default"
            heard = [manager.recv(1000) for _ in range(4)]
            assert heard.count(b"WATCHDOG=1") >= 3
            os.kill(process.pid, signal.SIGSTOP)  # a loop that hangs gives no sign
            manager.settimeout(0.5)
            with pytest.raises(TimeoutError):
                _hear_all(manager)
            os.kill(process.pid, signal.SIGCONT)
            manager.settimeout(PATIENCE)
            process.terminate()
            while b"STOPPING=1" not in manager.recv(1000):
                pass
            assert process.wait(PATIENCE) == 0


def test_the_launcher_returns_when_the_detached_daemon_serves(environ: Mapping[str, str], tmp_path: Path) -> None:
    pidfile = tmp_path / "masterd.pid"
    launcher = _run(environ, "--daemonize", "--pidfile", str(pidfile))
    assert (launcher.returncode, launcher.stderr) == (0, "")
    pid = int(pidfile.read_text())
    try:
        with Client(tmp_path / "runtime" / "masterd.sock") as client:
            assert client.welcome.pid == pid
        assert os.getsid(pid) != os.getsid(0)
        assert (tmp_path / "state" / "masterd" / "started").stat().st_mode & 0o777 == 0o640
        with pidfile.open() as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        second = _run(environ, "--daemonize", "--pidfile", str(pidfile))
        assert second.returncode == 75
        assert "runs already" in second.stderr
        assert int(pidfile.read_text()) == pid
    finally:
        os.kill(pid, signal.SIGTERM)
    _until(lambda: not pidfile.exists())
    assert (tmp_path / "state" / "masterd" / "stopped").exists()


@pytest.mark.parametrize(("failure", "status"), [("capability", 77), ("store", 78), ("temporary", 75), ("fault", 1)])
def test_the_launchers_status_is_that_of_the_daemon(
    environ: Mapping[str, str], tmp_path: Path, failure: str, status: int
) -> None:
    pidfile = tmp_path / "masterd.pid"
    launcher = _run(environ, "--daemonize", "--pidfile", str(pidfile), NETCRIER_FAIL=failure)
    assert launcher.returncode == status
    assert "service.log" in launcher.stderr
    assert (tmp_path / "log" / "masterd" / "service.log").read_text()
    assert not pidfile.exists()


def test_a_pid_file_left_by_a_dead_daemon_is_no_obstacle(environ: Mapping[str, str], tmp_path: Path) -> None:
    pidfile = tmp_path / "masterd.pid"
    pidfile.write_text("1\n")
    assert _run(environ, "--daemonize", "--pidfile", str(pidfile)).returncode == 0
    pid = int(pidfile.read_text())
    assert pid != 1
    os.kill(pid, signal.SIGTERM)
    _until(lambda: not pidfile.exists())
