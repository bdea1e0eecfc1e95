"""The node's end of a catch-up: a connection to the master, as pieces of whole datagrams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from netcrier.core.events import Address
from netcrier.core.node.catch_up import PROGRESS_WITHIN
from netcrier.wire.catch_up import Frames, frame
from netcrier.wire.limits import CATCH_UP_CHUNK


async def fetch(master: Address, ask: bytes) -> AsyncGenerator[list[bytes], None]:
    """What the master sends, until it ends; nothing is read ahead of the consumer but what TCP holds.

    OSError or TimeoutError where the master cannot be reached or sends nothing for PROGRESS_WITHIN seconds, DecodeError
    where what it sends are no datagrams.
    """
    async with asyncio.timeout(PROGRESS_WITHIN):
        reader, writer = await asyncio.open_connection(master[0], master[1], limit=CATCH_UP_CHUNK)
    try:
        writer.write(frame(ask))
        frames = Frames()
        while True:
            async with asyncio.timeout(PROGRESS_WITHIN):
                data = await reader.read(CATCH_UP_CHUNK)
            if not data:
                return
            yield frames.feed(data)
    finally:
        writer.transport.abort()
