"""Which conversation a packet belongs to, and when one is over: by the clock, which never goes back, or a new SYN."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from typing import Any

from .conversations import Conversation
from .packets import Packet
from .records import record_of

Key = tuple[Any, ...]


class Table:
    """The conversations that go on, and the records of those that are over."""

    def __init__(self) -> None:
        self.now = 0
        self._held: dict[Key, Conversation] = {}
        self._over: list[dict[str, Any]] = []
        self._queue: list[tuple[int, int, Key, Conversation]] = []
        self._numbers = count()

    def tick(self, time: int) -> None:
        """A packet came at `time`: if the clock goes on, what was due by then is over."""
        if time <= self.now:
            return
        self.now = time
        while self._queue and self._queue[0][0] <= self.now:
            _, _, key, one = heappop(self._queue)
            if self._held.get(key) is one:
                if one.due() <= self.now:
                    self._end(key)
                else:
                    self._wait(key, one)

    def take(self, p: Packet) -> Conversation:
        """The conversation of a packet, which has taken it in."""
        ends = [(p.source, p.sport), (p.target, p.dport)]
        key = (p.protocol, p.paired, *(sorted(ends) if p.paired else ends))
        known = self._held.get(key)
        if known and (known.due() <= p.time or (p.protocol == 6 and not p.headless and known.reused(p))):
            self._end(key)
            known = None
        one = known or Conversation(p)
        self._held[key] = one
        before = one.due()
        one.take(p)
        if not known or one.due() < before:
            self._wait(key, one)
        return one

    def records(self) -> list[dict[str, Any]]:
        """Of all conversations, those that go on too."""
        return self._over + [record_of(one) for one in self._held.values()]

    def _wait(self, key: Key, one: Conversation) -> None:
        heappush(self._queue, (one.due(), next(self._numbers), key, one))

    def _end(self, key: Key) -> None:
        self._over.append(record_of(self._held.pop(key)))
