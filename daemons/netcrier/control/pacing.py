"""How fast a stream may run: credit granted by the client, items sent, items dropped."""

from __future__ import annotations

import asyncio

from netcrier.control.limits import CREDIT
from netcrier.control.types.shared import INITIAL_CREDIT


class Pace:
    """One stream's account."""

    def __init__(self, lossless: bool) -> None:
        self.items = 0
        """Sent."""
        self.lost = 0
        """Dropped, in all."""
        self.cancelled = asyncio.Event()
        self._lossless = lossless
        self._credit = INITIAL_CREDIT
        self._untold = 0
        self._granted = asyncio.Event()
        self._granted.set()

    def grant(self, items: int) -> bool:
        """The client takes `items` more; False beyond the limit."""
        if items < 1 or self._credit + items > CREDIT:
            return False
        self._credit += items
        self._granted.set()
        return True

    async def room(self) -> None:
        """Wait until the next item may be asked for: at once where items may be dropped."""
        if self._lossless:
            await self._granted.wait()

    def take(self) -> int | None:
        """Spend credit for one item: how many were dropped before it; None if this one is dropped."""
        if not self._credit:
            self.lost += 1
            self._untold += 1
            return None
        self._credit -= 1
        if not self._credit:
            self._granted.clear()
        self.items += 1
        lost, self._untold = self._untold, 0
        return lost
