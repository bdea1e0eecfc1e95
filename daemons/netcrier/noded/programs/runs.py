"""Starting handlers: each in a process of its own, by systemd where its socket is there, else as a child of noded.

Rules:
- A bounded number runs at a time and waits; a run that does not end within its time and a grace is given up.
- Only systemd may listen on the socket: it is root's, or was made for noded's user. Another's is as good as none; one
  that was put there in the meantime is told nothing.
- The runner is less trusted than noded, for handlers are its user's: what it answers is held against what was asked.
- The runner ends when its standard input does; so noded takes what it started with it, however it ends.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from netcrier.control import paths
from netcrier.noded.programs.runner import Ran, Run
from netcrier.wire.handled import Code

_GRACE: Final = 5.0
"""Seconds beyond a handler's own time, for starting the runner and bringing the result."""
_RESULT_MAX: Final = 1 << 21
_PIECE: Final = 65536
_END_WITHIN: Final = 5.0
"""Seconds that a runner which was given up has to kill its handler."""
_CODE_MAX, _SIZE_MAX = 0xFFFF, 0xFFFFFFFF
_RUNNER: Final = (sys.executable, "-I", "-m", "netcrier.noded.programs.runner")
"""Isolated: no folder and no variable of noded's says which modules it loads."""


class Runs:
    """See the module. `listens`: where systemd listens (netcrier-handler.socket)."""

    def __init__(self, listens: Path, running: int, waiting: int) -> None:
        self._socket = listens
        self._places = asyncio.Semaphore(running)
        self._most = running + waiting
        self._now = 0

    async def run(self, asked: Run) -> Ran:
        """The result; BUSY where too many wait already. Never raises but for cancellation."""
        if self._now >= self._most:
            return Ran(Code.BUSY, b"", 0)
        self._now += 1
        try:
            async with self._places, asyncio.timeout(asked.seconds + _GRACE):
                return _within(await self._carried(msgspec.msgpack.encode(asked)), asked)
        except TimeoutError:
            return Ran(Code.TIMED_OUT, b"", 0)
        except (OSError, asyncio.IncompleteReadError, msgspec.DecodeError, ValueError):
            return Ran(Code.FAILED, b"", 0)
        finally:
            self._now -= 1

    async def _carried(self, request: bytes) -> Ran:
        if _ours(self._socket):
            reader, writer = await asyncio.open_unix_connection(self._socket)
            try:
                _check_peer(writer.get_extra_info("socket"))
                return await _exchange(reader, writer, request)
            finally:
                writer.transport.abort()
        child = await asyncio.create_subprocess_exec(
            *_RUNNER, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=_environment(), cwd="/"
        )
        assert child.stdin
        assert child.stdout
        try:
            return await _exchange(child.stdout, child.stdin, request)
        finally:
            await _ended(child)


async def _ended(child: asyncio.subprocess.Process) -> None:
    """It ends by itself; one that was given up is told to, and killed where it is stopped."""
    with suppress(ProcessLookupError):
        child.terminate()
    killing = asyncio.get_running_loop().call_later(_END_WITHIN, _kill, child)
    try:
        await child.wait()
    finally:
        killing.cancel()
        _kill(child)


def _kill(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        with suppress(ProcessLookupError):
            child.kill()


def _environment() -> dict[str, str]:
    """What the runner needs of noded's: where configuration lies. Not the token that noded may have got so."""
    return {name: os.environ[name] for name in (paths.CONFIG_DIR,) if name in os.environ}


def _ours(path: Path) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISSOCK(found.st_mode) and found.st_uid in (0, os.geteuid())


def _check_peer(one: socket.socket) -> None:
    """OSError where another user listens."""
    _, uid, _ = struct.unpack("=iII", one.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    if uid not in (0, os.geteuid()):
        raise PermissionError(f"uid {uid} listens on the handlers' socket")


def _within(ran: Ran, asked: Run) -> Ran:
    """A result as its datagrams can carry it. ValueError where it cannot be one."""
    if not 0 <= ran.code <= _CODE_MAX or ran.size < 0:
        raise ValueError("a result that no run can have")
    return Ran(ran.code, ran.output[: asked.output], min(ran.size, _SIZE_MAX))


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> Ran:
    writer.write(len(request).to_bytes(4, "big"))
    for at in range(0, len(request), _PIECE):  # the transport keeps a copy of what it cannot send yet
        writer.write(request[at : at + _PIECE])
        await writer.drain()
    size = int.from_bytes(await reader.readexactly(4), "big")
    if size > _RESULT_MAX:
        raise ValueError("a result beyond its bound")
    return msgspec.msgpack.decode(await reader.readexactly(size), type=Ran)
