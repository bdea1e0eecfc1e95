from __future__ import annotations

from pathlib import Path

import pytest
from netcrier.control.failures import (
    Broken,
    ControlError,
    Deadline,
    Impostor,
    NotPermitted,
    NotRunning,
    Refused,
    VersionMismatch,
)
from netcrier_ctl.complaint import complaint, failure_of, start_command


def test_what_and_why_come_first_then_what_to_do() -> None:
    assert complaint("masterd refused: no", "do this\nthen that") == (
        "netctl: masterd refused: no.\n        do this\n        then that"
    )


def test_a_daemons_words_drive_no_terminal() -> None:
    assert "\x1b" not in complaint("no node is named '\x1b[2J'", "\x1b[2J")


@pytest.mark.parametrize(
    ("error", "start", "hint"),
    [
        (NotRunning("nothing answers"), "noded is not running: nothing answers", "noded"),
        (NotPermitted("permission denied"), "noded refused: permission denied", "usermod"),
        (
            Impostor("x.sock belongs to uid 7", "it may"),
            "this is not noded's socket: x.sock belongs to uid 7",
            "it may",
        ),
        (Deadline("no answer in 1 s"), "noded does not answer", "--timeout"),
        (VersionMismatch("1 or 2"), "noded speaks another version", "restart noded"),
        (Refused("unknown-method", "no method"), "noded is older", "restart noded"),
        (Refused("store", "disk full", "make room"), "noded refused: disk full", "make room"),
        (Refused("usage", "too long", "shorten"), "noded: too long", "shorten"),
        (Broken("closed", "look there"), "noded: closed", "look there"),
    ],
)
def test_every_failure_says_who_why_and_what_to_do(error: ControlError, start: str, hint: str) -> None:
    failure = failure_of("noded", error)
    assert str(failure).startswith(start)
    assert hint in (failure.hint or "")


def test_how_to_start_depends_on_the_host(tmp_path: Path) -> None:
    assert start_command("noded@n2", systemd=tmp_path) == "systemctl start noded@n2"
    assert start_command("noded@n2", systemd=tmp_path / "none") == "noded --daemonize --instance n2"
    assert start_command("noded", systemd=tmp_path / "none") == "noded --daemonize"
