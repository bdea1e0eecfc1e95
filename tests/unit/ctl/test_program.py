from __future__ import annotations

import pytest
from netcrier_ctl import program
from netcrier_ctl.commands import COMMANDS
from netcrier_ctl.options import options_of

from tests.scripted_host import Host


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_tells_of_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        program.parsed([name, "--help"])
    assert ended.value.code == 0
    assert f"usage: netctl {name}" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--json", "-v", "nodes", "--away"], ["nodes", "--away", "-v", "--json"]])
def test_options_stand_before_or_after_the_command(words: list[str]) -> None:
    _, args = program.parsed(words)
    options = options_of(args)
    assert (options.json, options.verbose, args.away) == (True, True, True)


def test_values_of_options_in_front_are_no_command() -> None:
    _, args = program.parsed(["--daemon", "noded", "--timeout", "500ms", "status"])
    options = options_of(args)
    assert (options.daemon, options.timeout) == ("noded", 0.5)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "a command is missing"),
        (["statuss"], "did you mean 'status'?"),
        (["xyzzy"], "there is no command 'xyzzy'."),
        (["status", "--timeout", "soon"], "duration"),
        (["status", "--daemon", "sshd"], "none of masterd, noded, analyzerd"),
        (["broadcast", "x", "--wait", "101%"], "is not all, none, a number"),
        (["flows", "--host", "example"], "neither an address nor a network"),
        (["messages", "-n", "many"], "not a number"),
        (["join", "nck1-a-token-as-argument"], "unrecognized arguments"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_why(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        program.parsed(words)
    shown = capsys.readouterr().err
    assert ended.value.code == 2
    assert shown.startswith("netctl: ")
    assert said in shown
    assert "--help" in shown


def test_a_command_for_one_daemon_refuses_another(host: Host) -> None:
    ran = host.netctl("nodes", "--daemon", "noded")
    assert ran.code == 2
    assert "this is for masterd" in ran.err


def test_an_instance_is_chosen_by_name_or_by_environment(host: Host) -> None:
    host.environ["NETCRIER_INSTANCE"] = "n2"
    assert "noded@n2 is not running" in host.netctl("join", stdin=b"token").err
    assert "noded@n3 is not running" in host.netctl("join", "--daemon", "noded@n3", stdin=b"token").err


def test_a_socket_may_be_named(host: Host) -> None:
    ran = host.netctl("nodes", "--socket", "/elsewhere/m.sock")
    assert (ran.code, "/elsewhere/m.sock" in ran.err) == (3, True)


def test_calls_are_bounded_in_time_by_the_option(host: Host) -> None:
    host.netctl("nodes")
    host.netctl("nodes", "--timeout", "250ms")
    assert host.timeouts == [10.0, 0.25]
