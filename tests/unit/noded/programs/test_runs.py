"""Starting runners: by the socket only if systemd can have made it, else as a child; and what their word is worth."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
from netcrier.noded.programs import runs as module
from netcrier.noded.programs.runner import Ran, Run
from netcrier.noded.programs.runs import Runs
from netcrier.wire.handled import Code

ROOT = pytest.mark.skipif(os.getuid() != 0, reason="handlers belong to root: needs root")
ASKED = Run("probe", {}, b"hello", 10.0, 100, 1 << 30)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NETCRIER_CONFIG_DIR", str(tmp_path))
    return tmp_path


def handler(place: Path, script: str) -> None:
    (place / "handlers.d").mkdir(mode=0o755)
    path = place / "handlers.d" / "probe"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def listening(path: Path) -> socket.socket:
    one = socket.socket(socket.AF_UNIX)
    one.bind(str(path))
    return one


def answered(one: socket.socket, answer: bytes) -> tuple[Ran, bytes]:
    """What comes of a run whose runner, behind the socket, answers so; and what it was told first."""
    heard = asyncio.Queue[bytes]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told = await reader.read(4)
        writer.write(answer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        heard.put_nowait(told)

    async def all_of_it() -> tuple[Ran, bytes]:
        async with await asyncio.start_unix_server(serve, sock=one):
            return await Runs(Path(one.getsockname()), 1, 0).run(ASKED), await heard.get()

    return asyncio.run(all_of_it())


def framed(ran: Ran) -> bytes:
    data = msgspec.msgpack.encode(ran)
    return len(data).to_bytes(4, "big") + data


def test_a_result_comes_through_the_socket(tmp_path: Path) -> None:
    assert answered(listening(tmp_path / "s"), framed(Ran(3, b"out", 3)))[0] == Ran(3, b"out", 3)


@pytest.mark.parametrize(
    "answer", [b"", b"\0\0\0\5abc", b"\xff" * 4, b"\0\0\0\1\xc0", framed(Ran(-1, b"", 0)), framed(Ran(1 << 16, b"", 0))]
)
def test_a_result_that_is_none_is_a_failed_run(tmp_path: Path, answer: bytes) -> None:
    assert answered(listening(tmp_path / "s"), answer)[0] == Ran(Code.FAILED, b"", 0)


def test_more_than_was_asked_for_is_cut_to_what_an_answer_carries(tmp_path: Path) -> None:
    ran, _ = answered(listening(tmp_path / "s"), framed(Ran(0, bytes(1000), 1 << 40)))
    assert (ran.code, len(ran.output), ran.size) == (0, 100, (1 << 32) - 1)


@ROOT
def test_a_socket_that_another_user_made_is_as_good_as_none(place: Path) -> None:
    handler(place, "cat")
    with listening(place / "s") as one:
        one.listen()
        os.chown(place / "s", 65534, 65534)
        assert asyncio.run(Runs(place / "s", 1, 0).run(ASKED)) == Ran(0, b"hello", 5)


@ROOT
def test_who_listens_is_looked_at_before_anything_is_said(tmp_path: Path) -> None:
    """The socket is root's, but another user's process listens on it."""
    with listening(tmp_path / "s") as one:
        os.seteuid(65534)
        try:
            one.listen()
        finally:
            os.seteuid(0)
        assert asyncio.run(Runs(tmp_path / "s", 1, 0).run(ASKED)) == Ran(Code.FAILED, b"", 0)
        with one.accept()[0] as connection:
            assert connection.recv(4) == b""


@ROOT
def test_the_runner_gets_nothing_of_noded_but_where_configuration_lies(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler(place, "tr '\\0' '\\n' </proc/$PPID/environ | cut -d= -f1; readlink /proc/$PPID/cwd")
    monkeypatch.setenv("NETCRIER_TOKEN", "secret")
    ran = asyncio.run(Runs(place / "none", 1, 0).run(ASKED))
    assert ran.output.decode().split() == ["NETCRIER_CONFIG_DIR", "/"]


@ROOT
@pytest.mark.parametrize("blow", [signal.SIGSTOP, signal.SIGKILL], ids=["stopped", "killed"])
def test_a_runner_that_its_handler_stops_or_kills_keeps_nobody_waiting(
    place: Path, monkeypatch: pytest.MonkeyPatch, blow: signal.Signals
) -> None:
    monkeypatch.setattr(module, "_GRACE", 0.5)
    monkeypatch.setattr(module, "_END_WITHIN", 0.1)
    handler(place, f"kill -{blow.value} $PPID; sleep 100")
    start = time.monotonic()
    ran = asyncio.run(Runs(place / "none", 1, 0).run(msgspec.structs.replace(ASKED, seconds=1.0)))
    assert ran.code == (Code.TIMED_OUT if blow is signal.SIGSTOP else Code.FAILED)
    assert time.monotonic() - start < 20


@ROOT
def test_so_many_run_so_many_wait_and_one_beyond_is_busy(place: Path) -> None:
    handler(place, f"until [ -e {place}/open ]; do sleep 0.02; done")

    async def all_of_it() -> list[int]:
        runs = Runs(place / "none", 1, 1)
        tasks = [asyncio.create_task(runs.run(ASKED)) for _ in range(3)]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result().code for task in done] == [Code.BUSY]
        (place / "open").touch()
        return [(await task).code for task in tasks]

    assert asyncio.run(all_of_it()) == [0, 0, Code.BUSY]


@ROOT
def test_the_greatest_message_reaches_its_handler_whole(place: Path) -> None:
    handler(place, "sha256sum")
    body = bytes(range(256)) * 4096
    ran = asyncio.run(Runs(place / "none", 1, 0).run(msgspec.structs.replace(ASKED, body=body)))
    assert ran.output.split()[0].decode() == sha256(body).hexdigest()
