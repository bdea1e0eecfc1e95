from __future__ import annotations

import argparse

import pytest
from netcrier_ctl.options import command_at, count, unit


@pytest.mark.parametrize(
    ("words", "at"),
    [
        (["status"], 0),
        (["--json", "status"], 1),
        (["--daemon", "noded", "messages"], 2),
        (["--daemon=noded", "-qv", "messages", "-f"], 2),
        (["--timeout", "5s"], None),
        ([], None),
    ],
)
def test_the_command_is_found_behind_options_and_their_values(words: list[str], at: int | None) -> None:
    assert command_at(words) == at


@pytest.mark.parametrize(
    ("text", "name"), [("noded", "noded"), ("noded@n2", "noded@n2"), ("noded@n2.service", "noded@n2")]
)
def test_a_daemon_may_have_an_instance(text: str, name: str) -> None:
    assert unit(text) == name


@pytest.mark.parametrize("text", ["", "sshd", "noded@", "noded@../../x", "@n2"])
def test_what_is_no_daemon_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        unit(text)


@pytest.mark.parametrize("text", ["-1", "x", "1001", ""])
def test_what_is_no_number_of_rows_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        count(text)
