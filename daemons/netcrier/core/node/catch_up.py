"""When a node asks for its backlog over TCP instead of by requests: it lags far, and no attempt has just failed.

Rules:
- Loss never leads here, lag does: CATCH_UP_LAG numbers, or CATCH_UP_BYTES of messages in blocks.
- Nodes that come back together do not come at once: each waits a random part of a time that grows with their number.
- A failed or busy attempt backs off; repair by UDP goes on from then to the next attempt.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from netcrier.core.pacing import catch_up_delay, catch_up_splay
from netcrier.wire.limits import CATCH_UP_BYTES, CATCH_UP_LAG

PROGRESS_WITHIN: Final = 5.0
"""Seconds: a connection that brings nothing for so long is given up, and UDP repair goes on."""


class Backlog:
    """One node's attempts. `chance` gives a float in [0, 1)."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._failures = 0
        self._free_at = 0.0
        self.timer: float | None = None
        """When to connect."""
        self.open = False
        """Whether a connection is being made or is there."""

    def behind(self, numbers: int, size: int, presence: float, now: float) -> bool:
        """Whether an attempt is planned now, and UDP repair should wait for it.

        The node lacks so many numbers, and `size` bytes of messages that it knows; `presence` is the group's interval,
        seconds: it grows with the group.
        """
        if numbers < CATCH_UP_LAG and size < CATCH_UP_BYTES:
            self.timer = None
            return False
        if self.timer is not None or self.open or now < self._free_at:
            return False
        self.timer = now + catch_up_splay(presence, self._chance())
        return True

    def due(self, now: float) -> bool:
        """Whether to connect now; from then on the attempt is open until `ended`."""
        if self.timer is None or self.timer > now:
            return False
        self.timer, self.open = None, True
        return True

    def ended(self, now: float, *, progressed: bool) -> None:
        """The connection is gone; `progressed` whether it brought anything."""
        self.open = False
        self._failures = 0 if progressed else self._failures + 1
        self._free_at = now + (catch_up_delay(self._failures, self._chance()) if self._failures else 0.0)
