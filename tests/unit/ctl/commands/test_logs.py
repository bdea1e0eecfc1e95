from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from netcrier.control.types.shared import Done

from tests.scripted_host import NOW, Host


class Over(Exception):
    """Ends what never ends."""


def log(host: Host, name: str, *records: dict[str, object]) -> Path:
    path = Path(host.environ["NETCRIER_LOG_DIR"]) / f"{name}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)
    return path


@pytest.fixture
def logged(host: Host) -> Host:
    log(
        host, "masterd/messages", {"ts": NOW - 9, "event": "broadcast", "id": "1"}, {"ts": NOW - 5, "event": "complete"}
    )
    log(host, "noded/messages", {"ts": NOW - 7, "event": "message", "n": 1, "text": "hi \x1b[2J"})
    log(host, "analyzerd/conn", {"ts": NOW - 8, "uid": "C1"})
    return host


def test_all_logs_are_merged_by_time(logged: Host) -> None:
    ran = logged.netctl("logs")
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "07:59:51  masterd messages  broadcast  id=1",
        "07:59:52  analyzerd conn  uid=C1",
        "07:59:53  noded messages  message  n=1  hi \\x1b[2J",
        "07:59:55  masterd messages  complete  ",
    ]


def test_the_newest_of_all_together_are_shown(logged: Host) -> None:
    assert [line.split()[1] for line in logged.netctl("logs", "-n", "2").out.splitlines()] == ["noded", "masterd"]


@pytest.mark.parametrize("words", [["noded"], ["--daemon", "noded"], ["--log", "messages", "noded"]])
def test_a_daemon_may_be_chosen(logged: Host, words: list[str]) -> None:
    assert [line.split()[1] for line in logged.netctl("logs", *words).out.splitlines()] == ["noded"]


def test_json_passes_the_record_on_as_it_is(logged: Host) -> None:
    shown = json.loads(logged.netctl("logs", "analyzerd", "--json").out)
    assert shown == {
        "schema": "netctl.log/1",
        "daemon": "analyzerd",
        "log": "conn",
        "record": {"ts": NOW - 8, "uid": "C1"},
    }


def test_instances_have_logs_of_their_own(host: Host) -> None:
    log(host, "noded@n2/messages", {"ts": NOW})
    assert host.netctl("logs").out.split()[1] == "noded@n2"
    assert host.netctl("logs", "noded").code == 6


def test_no_log_is_6(host: Host) -> None:
    ran = host.netctl("logs")
    assert (ran.code, ran.out, "no log in" in ran.err) == (6, "", True)


def test_what_is_no_record_is_said_and_passed_over(logged: Host) -> None:
    with (Path(logged.environ["NETCRIER_LOG_DIR"]) / "noded/messages.log").open("ab") as file:
        file.write(b"\xff garbage\n")
    ran = logged.netctl("logs", "noded")
    assert (ran.code, len(ran.out.splitlines())) == (0, 1)
    assert "not a record" in ran.err


def test_the_text_of_the_service_log_is_left_out(logged: Host) -> None:
    log(logged, "noded/service", {"ts": NOW})
    assert len(logged.netctl("logs", "noded").out.splitlines()) == 1
    assert len(logged.netctl("logs", "noded", "--log", "service").out.splitlines()) == 1


def test_follow_shows_each_line_once_across_a_rotation(logged: Host) -> None:
    path = Path(logged.environ["NETCRIER_LOG_DIR"]) / "noded/messages.log"
    steps: Iterator[Callable[[], object]] = iter(
        [
            lambda: log(logged, "noded/messages", {"ts": NOW, "n": 2}),
            lambda: path.rename(path.with_suffix(".log.1")),
            lambda: log(logged, "noded/messages", {"ts": NOW, "n": 3}),
        ]
    )

    def step() -> None:
        action = next(steps, None)
        if action is None:
            raise Over
        action()

    logged.on_sleep = step
    with pytest.raises(Over):
        logged.netctl("logs", "noded", "-f", "--json")
    assert [json.loads(line)["record"]["n"] for line in logged.out.getvalue().splitlines()] == [1, 2, 3]


def test_reopen_asks_every_daemon_that_runs(host: Host) -> None:
    host.answers("masterd", logs_reopen=Done())
    host.answers("noded", logs_reopen=Done())
    assert host.netctl("logs", "reopen").code == 0
    assert [unit for unit, method, _ in host.calls if method == "logs.reopen"] == ["masterd", "noded"]


def test_reopen_where_nothing_runs_is_3(host: Host) -> None:
    assert host.netctl("logs", "reopen").code == 3
