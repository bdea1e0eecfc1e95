"""What a daemon does beside: each task is held until it has ended, and ends with the daemon at the latest."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class Tasks:
    """See the module. A fault of a task is logged by asyncio and ends nothing else."""

    def __init__(self) -> None:
        self._open: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin it."""
        task = asyncio.get_running_loop().create_task(work)
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def ended(self) -> None:
        """Returns once all that were begun have ended."""
        await asyncio.gather(*self._open, return_exceptions=True)

    async def close(self) -> None:
        """Cancel what is open, and wait for it."""
        for task in self._open:
            task.cancel()
        await self.ended()
