"""Starting handlers: each in a process of its own, by systemd where its socket is there, else as a child of noded.

Rules: a bounded number runs at a time and waits; a run that does not end within its time and a grace is given up.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from netcrier.noded.runner import Ran, Run
from netcrier.wire.handled import Code

_GRACE: Final = 5.0
"""Seconds beyond a handler's own time, for starting the runner and bringing the result."""
_RESULT_MAX: Final = 1 << 21


class Runs:
    """See the module. `socket`: where systemd listens (netcrier-handler.socket)."""

    def __init__(self, socket: Path, running: int, waiting: int) -> None:
        self._socket = socket
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
                data = msgspec.msgpack.encode(asked)
                return await self._carried(len(data).to_bytes(4, "big") + data)
        except TimeoutError:
            return Ran(Code.TIMED_OUT, b"", 0)
        except (OSError, asyncio.IncompleteReadError, msgspec.DecodeError, ValueError):
            return Ran(Code.FAILED, b"", 0)
        finally:
            self._now -= 1

    async def _carried(self, request: bytes) -> Ran:
        if self._socket.is_socket():
            reader, writer = await asyncio.open_unix_connection(self._socket)
            try:
                return await _exchange(reader, writer, request)
            finally:
                writer.transport.abort()
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "netcrier.noded.runner", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert child.stdin
        assert child.stdout
        try:
            return await _exchange(child.stdout, child.stdin, request)
        finally:
            with suppress(ProcessLookupError):
                child.terminate()  # it ends by itself; this is for a run that was given up
            await child.wait()


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> Ran:
    writer.write(request)
    size = int.from_bytes(await reader.readexactly(4), "big")
    if size > _RESULT_MAX:
        raise ValueError("a result beyond its bound")
    return msgspec.msgpack.decode(await reader.readexactly(size), type=Ran)
