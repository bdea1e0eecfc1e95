"""One run of one handler: what it is given, what comes back, and its bounds. Root's files only: root runs these."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from netcrier.noded.runner import Ran, Run, named, run
from netcrier.wire.handled import Code

ROOT = pytest.mark.skipif(os.getuid() != 0, reason="handlers belong to root: needs root")


def handler(place: Path, script: str, name: str = "probe", mode: int = 0o755) -> Path:
    place.mkdir(exist_ok=True)
    place.chmod(0o755)
    path = place / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(mode)
    return path


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
@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "../probe", "a/b", "a b", "x\0y", "absent"])
def test_a_name_that_is_no_file_of_the_folder_is_no_handler(tmp_path: Path, name: str) -> None:
    handler(tmp_path, "exit 0")
    assert named(tmp_path, name) is Code.NO_HANDLER


@ROOT
def test_only_what_root_alone_can_have_put_there_runs(tmp_path: Path) -> None:
    place = tmp_path / "handlers.d"
    path = handler(place, "exit 0")
    assert named(place, "probe") == path
    handler(place, "exit 0", "others", 0o757)
    handler(place, "exit 0", "group", 0o775)
    handler(place, "exit 0", "owned")
    os.chown(place / "owned", 65534, 65534)
    assert {named(place, name) for name in ("others", "group", "owned")} == {Code.UNSAFE}
    handler(place, "exit 0", "plain", 0o644)
    (place / "link").symlink_to(path)
    (place / "dir").mkdir()
    assert [named(place, name) for name in ("plain", "dir")] == [Code.NO_HANDLER] * 2
    assert named(place, "link") in (Code.UNSAFE, Code.NO_HANDLER), "a link is not followed"
    place.chmod(0o777)
    assert named(place, "probe") is Code.UNSAFE


@ROOT
def test_what_cannot_be_started_is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    handler(tmp_path, "").write_text("#!/no/such/interpreter\n")
    assert ran(tmp_path).code == Code.FAILED
    assert "probe" in capfd.readouterr().err


@pytest.mark.parametrize("data", [b"", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\1\xc0", b"\0\0\0\5\x90"])
def test_a_request_that_is_none_ends_it_with_2(data: bytes) -> None:
    done = subprocess.run([sys.executable, "-m", "netcrier.noded.runner"], input=data, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (2, b"")


@ROOT
def test_request_and_result_cross_its_standard_streams(tmp_path: Path) -> None:
    handler(tmp_path / "handlers.d", "cat")
    asked = msgspec.msgpack.encode(Run("probe", {}, b"echo", 10.0, 100, 1 << 30))
    done = subprocess.run(
        [sys.executable, "-m", "netcrier.noded.runner"],
        input=len(asked).to_bytes(4, "big") + asked,
        capture_output=True,
        check=True,
        env={**os.environ, "NETCRIER_CONFIG_DIR": str(tmp_path)},
    )
    assert msgspec.msgpack.decode(done.stdout[4:], type=Ran) == Ran(0, b"echo", 4)
