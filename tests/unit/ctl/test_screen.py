from __future__ import annotations

import io

import pytest
from netcrier_ctl.options import Options
from netcrier_ctl.screen import Screen

from tests.scripted_host import Terminal


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def screen(out: io.StringIO, clock: Clock, quiet: bool = False, json: bool = False) -> tuple[Screen, io.StringIO]:
    err = io.StringIO()
    return Screen(out, err, Options(quiet=quiet, json=json), False, clock), err


def test_progress_is_written_over_itself_and_goes_before_the_result() -> None:
    out, clock = Terminal(), Clock()
    shown, _ = screen(out, clock)
    shown.progress("1 of 2")
    clock.now = 1.0
    shown.progress("2 of 2")
    shown.line("done")
    assert out.getvalue() == "\r\x1b[K1 of 2\r\x1b[K2 of 2\r\x1b[Kdone\n"


def test_progress_is_bounded_in_rate() -> None:
    out, clock = Terminal(), Clock()
    shown, _ = screen(out, clock)
    for _ in range(1000):
        shown.progress("x")
    assert out.getvalue().count("x") == 1


@pytest.mark.parametrize(
    ("out", "options"), [(io.StringIO(), {}), (Terminal(), {"quiet": True}), (Terminal(), {"json": True})]
)
def test_there_is_no_progress_but_on_a_terminal(out: io.StringIO, options: dict[str, bool]) -> None:
    shown, _ = screen(out, Clock(), **options)
    shown.progress("1 of 2")
    assert out.getvalue() == ""


def test_quiet_leaves_complaints_and_what_was_asked_for() -> None:
    out = io.StringIO()
    shown, err = screen(out, Clock(), quiet=True)
    shown.note("a note")
    shown.result("an outcome")
    shown.line("a row")
    shown.complain("wrong")
    assert (out.getvalue(), err.getvalue()) == ("a row\n", "netctl: wrong.\n")


def test_without_a_terminal_nothing_is_cut() -> None:
    shown, _ = screen(io.StringIO(), Clock())
    assert shown.width is None
