"""What a generator yields, made in a thread of its own while what it yielded before is still used.

Bounded: it waits where so many wait to be used. What it raises is raised where it is used, after what came before.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType

Item = TypeVar("Item")

STOP_LIMIT = 0.2
"""Seconds that are waited for its thread; one that a pipe holds up ends with the process."""


class Ahead(Generic[Item]):
    """An iterator, and a context that ends its thread."""

    def __init__(self, source: Generator[Item, None, None], most: int) -> None:
        """At most `most` wait to be used; one more is in use, and one in the making."""
        self._source, self._most = source, most
        self._waiting: deque[Item] = deque()
        self._changed = threading.Condition()
        self._done = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="ahead", daemon=True)

    def __enter__(self) -> Ahead[Item]:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        self._thread.join(STOP_LIMIT)

    def __iter__(self) -> Ahead[Item]:
        return self

    def __next__(self) -> Item:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._done)
            if self._waiting:
                self._changed.notify_all()
                return self._waiting.popleft()
        if self._failure:
            raise self._failure
        raise StopIteration

    def stop(self) -> None:
        """Nothing more is made; what was made is still yielded. May be called by a signal's handler."""
        with self._changed:
            self._done = True
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            for item in self._source:
                with self._changed:
                    self._changed.wait_for(lambda: len(self._waiting) < self._most or self._done)
                    if self._done:
                        return
                    self._waiting.append(item)
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001 - the thread's edge: raised where it is used
            self._failure = error
        finally:
            self._source.close()
            self.stop()
