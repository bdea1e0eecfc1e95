"""One run of one handler: what it is given, what comes back, and its bounds. Root's files only: root runs these."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import msgspec
import pytest
from netcrier.noded.programs.runner import OUTPUT_MAX, SECONDS_MAX, Ran, Run, run
from netcrier.wire.handled import Code

from tests.handlers import ROOT, handler

LIBRARY = 3 << 31
"""Signals 32 and 33 are the C library's: a run may inherit them ignored, and no program may change that (signal(7))."""


def ran(place: Path, body: bytes = b"", seconds: float = 10.0, output: int = 1000, **facts: str) -> Ran:
    return run(Run("probe", facts, body, seconds, output, 1 << 30), place)


@ROOT
def test_the_body_is_its_input_and_the_facts_its_whole_environment(tmp_path: Path) -> None:
    handler(tmp_path, "cat; env | sort | grep -v ^PWD= | grep -v ^_=; exit 3")
    result = ran(tmp_path, b"hello\n", ID="17")
    lines = result.output.decode().splitlines()
    assert (result.code, lines[0], lines[-1][:5]) == (3, "hello", "PATH=")
    assert [line.split("=")[0] for line in lines[1:] if not line.startswith(("SHLVL=", "OLDPWD="))] == [
        "LANG", "NETCRIER_ID", "PATH"
    ]  # fmt: skip


@ROOT
def test_a_body_beyond_a_pipe_goes_through_and_need_not_be_read(tmp_path: Path) -> None:
    handler(tmp_path, "wc -c")
    assert ran(tmp_path, bytes(1 << 20)).output.strip() == b"1048576"
    handler(tmp_path, "exit 0")
    assert ran(tmp_path, bytes(1 << 20)).code == 0


@ROOT
def test_output_beyond_its_bound_is_counted_and_not_kept(tmp_path: Path) -> None:
    handler(tmp_path, "head -c 300000 /dev/zero")
    result = ran(tmp_path, output=1000)
    assert (result.code, len(result.output), result.size) == (0, 1000, 300_000)


@ROOT
def test_its_time_ends_it_with_all_that_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    handler(tmp_path, f"sleep 100 & echo $! $$ >{pids}; echo begun; wait")
    start = time.monotonic()
    result = ran(tmp_path, seconds=0.5)
    assert (result.code, result.output) == (Code.TIMED_OUT, b"begun\n")
    assert time.monotonic() - start < 5
    assert all(ended(int(pid)) for pid in pids.read_text().split())


@ROOT
def test_what_it_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    handler(tmp_path, f"sleep 100 & echo $! >{pids}; echo done")
    result = ran(tmp_path)
    assert (result.code, result.output) == (0, b"done\n")
    assert ended(int(pids.read_text()))


def request(asked: Run) -> bytes:
    data = msgspec.msgpack.encode(asked)
    return len(data).to_bytes(4, "big") + data


class Runner(subprocess.Popen[bytes]):
    """The program, with the folder `handlers.d` of a place."""

    stdin: IO[bytes]
    stdout: IO[bytes]


def started(place: Path) -> Runner:
    return Runner(
        [sys.executable, "-I", "-m", "netcrier.noded.programs.runner"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        env={"NETCRIER_CONFIG_DIR": str(place)},
    )


def ended(pid: int) -> bool:
    """Gone, or a zombie that nobody has collected yet, within a second."""
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.01)
    return False


@ROOT
def test_a_signal_and_too_much_memory_are_told_apart_from_an_exit(tmp_path: Path) -> None:
    handler(tmp_path, "kill -TERM $$")
    assert ran(tmp_path).code == Code.SIGNALLED + signal.SIGTERM
    path = handler(tmp_path, "")
    path.write_text(f"#!{sys.executable}\nbytearray(1 << 31)\n")
    assert ran(tmp_path).code == 1


@ROOT
def test_what_cannot_be_started_is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    handler(tmp_path, "").write_text("#!/no/such/interpreter\n")
    assert ran(tmp_path).code == Code.FAILED
    assert "probe" in capfd.readouterr().err


@ROOT
def test_what_leaves_its_session_ends_with_it_too(tmp_path: Path) -> None:
    """It holds the output open, and would hold the runner up for good."""
    pids = tmp_path / "pids"
    handler(tmp_path, f"setsid sh -c 'echo $$ >{pids}; sleep 100 & wait' & until [ -s {pids} ]; do :; done; echo done")
    start = time.monotonic()
    result = ran(tmp_path, seconds=30.0)
    assert (result.code, result.output) == (0, b"done\n")
    assert time.monotonic() - start < 15
    assert ended(int(pids.read_text()))


@ROOT
def test_a_stopped_handler_is_killed_when_its_time_is_over(tmp_path: Path) -> None:
    handler(tmp_path, "kill -STOP $$")
    assert ran(tmp_path, seconds=0.3).code == Code.TIMED_OUT


@ROOT
def test_it_begins_with_plain_signals_and_no_descriptor_of_noded(tmp_path: Path) -> None:
    inherited = os.open("/", os.O_RDONLY)
    os.set_inheritable(inherited, True)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    try:
        script = f"[ ! -e /proc/$$/fd/{inherited} ] || echo inherited; exec grep -E '^Sig(Blk|Ign)' /proc/self/status"
        handler(tmp_path, script)
        lines = ran(tmp_path).output.decode().splitlines()
    finally:
        os.close(inherited)
        signal.signal(signal.SIGHUP, before)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
    found = {name: int(mask, 16) & ~LIBRARY for name, mask in map(str.split, lines)}
    assert found == {"SigBlk:": 0, "SigIgn:": 0}


@ROOT
def test_of_its_errors_a_bounded_part_goes_to_the_service_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    handler(tmp_path, "echo 'no such host' >&2; head -c 1000000 /dev/zero | tr '\\0' x >&2; exit 1")
    assert ran(tmp_path).code == 1
    said = capfd.readouterr().err
    assert said.startswith("no such host\nxxx")
    assert len(said) == 16384


@ROOT
def test_who_asked_and_has_gone_needs_no_answer_and_no_handler(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    handler(tmp_path / "handlers.d", f"echo $$ >{pid}.new; mv {pid}.new {pid}; sleep 100")
    with started(tmp_path) as runner:
        runner.stdin.write(request(Run("probe", {}, b"", 100.0, 100, 1 << 30)))
        while not pid.exists():
            time.sleep(0.01)
        runner.stdin.close()
        assert runner.wait(20) == 0
    assert ended(int(pid.read_text()))


@ROOT
def test_a_killed_runner_takes_its_handler_with_it(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    handler(tmp_path / "handlers.d", f"echo $$ >{pid}.new; mv {pid}.new {pid}; exec sleep 100")
    with started(tmp_path) as runner:
        runner.stdin.write(request(Run("probe", {}, b"", 100.0, 100, 1 << 30)))
        while not pid.exists():
            time.sleep(0.01)
        runner.kill()
    assert ended(int(pid.read_text()))


GOOD = Run("probe", {"ID": "1"}, b"", 10.0, 100, 1 << 30)


@pytest.mark.parametrize(
    "bad",
    [
        {"seconds": 0.0},
        {"seconds": float("nan")},
        {"seconds": SECONDS_MAX + 1},
        {"output": -1},
        {"output": OUTPUT_MAX + 1},
        {"memory": 0},
        {"memory": -1},
        {"facts": {"A=B": "x"}},
        {"facts": {"": "x"}},
        {"facts": {"id": "x"}},
        {"facts": {"ID": "x\0y"}},
    ],
)
def test_bounds_that_are_none_and_facts_that_no_environment_holds_are_refused(bad: dict[str, object]) -> None:
    assert GOOD.sound
    assert not msgspec.structs.replace(GOOD, **bad).sound


@pytest.mark.parametrize("data", [b"", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\1\xc0", b"\0\0\0\5\x90"])
def test_a_request_that_is_none_ends_it_with_2(data: bytes) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "netcrier.noded.programs.runner"], input=data, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, b"")


@ROOT
def test_request_and_result_cross_its_standard_streams(tmp_path: Path) -> None:
    handler(tmp_path / "handlers.d", "cat")
    with started(tmp_path) as runner:
        runner.stdin.write(request(Run("probe", {}, b"echo", 10.0, 100, 1 << 30)))
        assert msgspec.msgpack.decode(runner.stdout.read()[4:], type=Ran) == Ran(0, b"echo", 4)
