"""A generator in a thread of its own: the same items, bounded, its failure where it is used."""

from __future__ import annotations

import threading
from collections.abc import Generator

import pytest
from netcrier.analyzerd.capture.ahead import Ahead


def test_what_is_made_ahead_comes_in_order_and_the_failure_after_it() -> None:
    def numbers() -> Generator[int, None, None]:
        yield from range(1000)
        raise ValueError("broken")

    seen: list[int] = []
    with pytest.raises(ValueError, match="broken"), Ahead(numbers(), 3) as ahead:
        seen.extend(ahead)
    assert seen == list(range(1000))


def test_no_more_is_made_than_may_wait() -> None:
    made = 0
    waits = threading.Semaphore(0)

    def numbers() -> Generator[int, None, None]:
        nonlocal made
        for made in range(1, 100):
            waits.release()
            yield made

    with Ahead(numbers(), 3) as ahead:
        for used in range(1, 20):
            assert next(ahead) == used
            for _ in range(1 if used > 1 else 5):  # it, 3 that wait, and one in the making
                assert waits.acquire(timeout=10)
            assert made <= used + 4


def test_who_leaves_early_ends_the_thread() -> None:
    closed = threading.Event()

    def endless() -> Generator[int, None, None]:
        try:
            while True:
                yield 0
        finally:
            closed.set()

    before = threading.active_count()
    with Ahead(endless(), 2) as ahead:
        next(ahead)
    assert closed.wait(10)
    assert threading.active_count() == before
