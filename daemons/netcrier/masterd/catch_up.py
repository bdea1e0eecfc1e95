"""The master's TCP port: sends a node that is far behind what it missed, as the same datagrams, in order.

Rules: a connection says who it is within ASK_WITHIN seconds, takes what it is sent within STALL_WITHIN, and is one of a
bounded number; a node has one at a time, the newest. What it may have is decided in the speaker.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable, Iterable
from typing import Final

from netcrier.core.events import Received
from netcrier.core.master.speaker import Speaker
from netcrier.errors import ConfigError, DecodeError
from netcrier.runtime.udp import clock_us
from netcrier.wire.catch_up import Frames
from netcrier.wire.limits import CATCH_UP_CHUNK, CATCH_UP_CLIENTS, CATCH_UP_STRANGERS, DATAGRAM_MAX

_log = logging.getLogger("netcrier.masterd")
ASK_WITHIN: Final = 5.0
STALL_WITHIN: Final = 5.0


class CatchUpPort:
    """See the module. `settle` is called after the speaker has changed."""

    def __init__(self, speaker: Speaker, settle: Callable[[], None]) -> None:
        self._speaker, self._settle = speaker, settle
        self._server: asyncio.Server | None = None
        self._strangers = 0
        self._clients: dict[int, asyncio.Task[None]] = {}
        self.served = 0
        """Connections that have had what they asked for."""

    async def start(self, port: int) -> None:
        """Listen; ConfigError where the port is taken."""
        try:
            self._server = await asyncio.start_server(self._serve, None, port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise ConfigError(f"TCP port {port} is taken by another program; see ss -tlpn") from None
            raise

    async def close(self) -> None:
        """End every connection."""
        if self._server:
            self._server.close()
        clients = list(self._clients.values())
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        index: int | None = None
        try:
            if self._strangers >= CATCH_UP_STRANGERS or len(self._clients) >= CATCH_UP_CLIENTS:
                self._speaker.refused["too many connections"] += 1
                return
            asked = await self._asked(reader, writer)
            index, frames = self._speaker.catch_up(asked)
            self._settle()
            self._take_place(index)
            await self._send(writer, frames)
            self.served += 1
        except DecodeError as error:
            self._speaker.refused[error.reason] += 1
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            _log.debug("a catch-up ended early: %s", error or type(error).__name__)
            writer.transport.abort()
        finally:
            if index is not None and self._clients.get(index) is asyncio.current_task():
                del self._clients[index]
            writer.close()

    async def _asked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Received:
        """The first frame, of a connection that is a stranger until it is here."""
        self._strangers += 1
        try:
            async with asyncio.timeout(ASK_WITHIN):
                frames = Frames()
                while not (found := frames.feed(data := await reader.read(DATAGRAM_MAX))):
                    if not data:
                        raise asyncio.IncompleteReadError(b"", None)
        finally:
            self._strangers -= 1
        peer = writer.get_extra_info("peername")
        return Received(found[0], (peer[0], peer[1]), asyncio.get_running_loop().time(), clock_us())

    def _take_place(self, index: int) -> None:
        """The newest connection of a node is the one that it reads."""
        task = asyncio.current_task()
        assert task
        older = self._clients.get(index)
        if older:
            older.cancel()
        self._clients[index] = task

    @staticmethod
    async def _send(writer: asyncio.StreamWriter, frames: Iterable[bytes]) -> None:
        writer.transport.set_write_buffer_limits(high=CATCH_UP_CHUNK)
        size, chunk = 0, []
        for one in frames:
            chunk.append(one)
            size += len(one)
            if size >= CATCH_UP_CHUNK:
                writer.writelines(chunk)
                size, chunk = 0, []
                async with asyncio.timeout(STALL_WITHIN):
                    await writer.drain()
                await asyncio.sleep(0)  # drain does not wait while there is room: others get their turn
        writer.writelines(chunk)
        writer.write_eof()
        writer.transport.set_write_buffer_limits(high=0)  # all of it is to leave: what is behind is counted no more
        async with asyncio.timeout(STALL_WITHIN):
            await writer.drain()
