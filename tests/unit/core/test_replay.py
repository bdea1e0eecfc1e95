"""The counter window against a model that remembers everything."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st
from netcrier.core.replay import CounterWindow
from netcrier.wire.limits import COUNTER_WINDOW


class Everything:
    """The same promise with a set."""

    def __init__(self) -> None:
        self.seen: set[int] = set()
        self.first = 0

    def accept(self, counter: int) -> bool:
        newest = max(self.seen, default=-1)
        floor = max(self.first, newest - COUNTER_WINDOW + 1) if self.seen else 0
        new = counter not in self.seen and counter >= floor
        if not self.seen:
            self.first = counter
        if new:
            self.seen.add(counter)
        return new


COUNTERS = st.integers(0, 40) | st.integers(0, 3 * COUNTER_WINDOW) | st.integers(0, 2**64 - 1)


@settings(max_examples=300, deadline=None)
@given(st.lists(COUNTERS, max_size=60))
@example([COUNTER_WINDOW, 0, 1, 1])
@example([1, COUNTER_WINDOW, 2, 2, 0])
@example([0, COUNTER_WINDOW - 1, 0, COUNTER_WINDOW, 0, 1])
def test_the_window_agrees_with_a_set(counters: list[int]) -> None:
    window, model = CounterWindow(), Everything()
    assert [window.accept(counter) for counter in counters] == [model.accept(counter) for counter in counters]


def test_a_counter_is_accepted_once_within_the_window_and_never_behind_it() -> None:
    window = CounterWindow()
    assert window.accept(0)
    assert window.accept(COUNTER_WINDOW + 1)
    assert window.accept(2)
    assert not window.accept(2)
    assert not window.accept(1)


def test_what_lies_before_the_first_counter_may_be_a_recording_and_is_refused() -> None:
    window = CounterWindow()
    assert window.accept(COUNTER_WINDOW)
    assert not window.accept(COUNTER_WINDOW - 1)
    assert not window.accept(1)


def test_a_jump_over_all_numbers_costs_no_memory() -> None:
    window = CounterWindow()
    assert window.accept(2**64 - 1)
    assert not window.accept(0)
