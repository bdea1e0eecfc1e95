"""When a node asks for what it lacks: a random wait at first, then retries that back off only in silence."""

from __future__ import annotations

from collections.abc import Callable

from netcrier.core.node.inbox import Inbox
from netcrier.core.pacing import request_delay, retry_delay


class GapRequests:
    """The highest number known of each lane, and when to ask next."""

    def __init__(self, inbox: Inbox, chance: Callable[[], float]) -> None:
        self._inbox = inbox
        self._chance = chance
        self._highest: dict[int, int] = {}
        self._ask_at: dict[int, float] = {}
        self._attempts = 0

    def known(self, lane: int, highest: int, now: float) -> None:
        """The master has sent numbers up to `highest`."""
        self._highest[lane] = max(highest, self._highest.get(lane, 0))
        if lane not in self._ask_at and self._inbox.missing(lane, self._highest[lane]):
            self._ask_at[lane] = now + request_delay(self._chance())

    def forget(self, lane: int) -> None:
        """The lane begins anew, in another term."""
        self._highest.pop(lane, None)
        self._ask_at.pop(lane, None)

    def heard(self) -> None:
        """Something valid came from the master: it is there, do not back off."""
        self._attempts = 0

    def hold(self, now: float, pause: float) -> None:
        """The journal refuses: ask for nothing for `pause` seconds."""
        for lane in self._highest:
            self._ask_at[lane] = now + pause

    def behind(self, lane: int, mark: int) -> int:
        """How many numbers of the lane lie beyond `mark`."""
        return max(0, self._highest.get(lane, 0) - mark)

    @property
    def timer(self) -> float | None:
        """When `due` has something to say."""
        return min(self._ask_at.values(), default=None)

    def due(self, now: float) -> list[tuple[int, tuple[tuple[int, int], ...]]]:
        """(lane, ranges) to ask for now."""
        asks = []
        for lane in [lane for lane, at in self._ask_at.items() if at <= now]:
            ranges = self._inbox.missing(lane, self._highest[lane])
            if ranges:
                asks.append((lane, ranges))
                self._ask_at[lane] = now + retry_delay(self._attempts, self._chance())
            else:
                del self._ask_at[lane]
        if asks:
            self._attempts += 1
        return asks
