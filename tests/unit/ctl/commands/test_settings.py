"""`netctl api`, `config`, `reload` and `version`: what daemons say of themselves."""

from __future__ import annotations

import json

import pytest
from netcrier import __version__
from netcrier.control.description import describe, names
from netcrier.control.failures import Deadline, NotFound, Refused
from netcrier.control.methods import BROADCAST, MASTERD, NODED
from netcrier.control.types.shared import ConfigShown, ConfigValue, Reloaded

from tests.scripted_host import Host

SHOWN = ConfigShown([ConfigValue(key="log.time", value='"iso"', origin="/etc/netcrier/noded.toml:3")])
NOTHING = Reloaded(changed=[], needs_restart=[])


def test_api_lists_the_methods_of_all_that_run(host: Host) -> None:
    host.answers("masterd", api_list=names(MASTERD))
    host.answers("noded", api_list=names(NODED))
    lines = host.netctl("api").out.splitlines()
    assert len(lines) == 1 + len(MASTERD) + len(NODED)
    shown = json.loads(host.netctl("api", "--daemon", "noded", "--json").out)
    assert {row["daemon"] for row in shown["methods"]} == {"noded"}


def test_api_of_one_method_gives_its_schemas(host: Host) -> None:
    host.answers("masterd", api_describe=describe(BROADCAST))
    host.answers("noded", api_describe=NotFound("not-found", "noded has no method 'broadcast'"))
    ran = host.netctl("api", "broadcast")
    assert ran.code == 0
    assert ran.out.startswith("masterd broadcast  (change)")
    assert "params:" in ran.out
    shown = json.loads(host.netctl("api", "broadcast", "--json").out)
    assert [row["name"] for row in shown["methods"]] == ["broadcast"]


def test_a_method_that_nobody_has_is_6(host: Host) -> None:
    host.answers("noded", api_describe=NotFound("not-found", "no method"))
    assert host.netctl("api", "teleport").code == 6


def test_config_shows_values_and_on_request_their_origin(host: Host) -> None:
    host.answers("noded", config_show=SHOWN)
    assert host.netctl("config", "show").out.splitlines() == ["DAEMON  KEY       VALUE", 'noded   log.time  "iso"']
    assert host.netctl("config", "show", "--origin").out.splitlines()[1].endswith("/etc/netcrier/noded.toml:3")
    assert json.loads(host.netctl("config", "show", "--json").out)["daemons"][0]["values"][0]["key"] == "log.time"


@pytest.mark.parametrize(
    ("reloaded", "said"),
    [
        (NOTHING, "noded  nothing changed\n"),
        (Reloaded(changed=["a", "b"], needs_restart=[]), "noded  changed: a, b\n"),
        (Reloaded(changed=[], needs_restart=["port"]), "noded  nothing changed; waits for a restart: port\n"),
    ],
)
def test_reload_says_what_changed(host: Host, reloaded: Reloaded, said: str) -> None:
    host.answers("noded", reload=reloaded)
    ran = host.netctl("reload")
    assert (ran.code, ran.out) == (0, said)


def test_reload_goes_on_after_a_daemon_that_refuses_its_file(host: Host) -> None:
    host.answers("masterd", reload=Refused("config", "masterd.toml:3: unknown key"))
    host.answers("noded", reload=NOTHING)
    ran = host.netctl("reload")
    assert ran.code == 1
    assert "masterd refused: masterd.toml:3: unknown key" in ran.err
    assert ran.out == "noded  nothing changed\n"


@pytest.mark.parametrize("words", [["api"], ["config", "show"], ["reload"]])
def test_where_nothing_runs_it_is_3(host: Host, words: list[str]) -> None:
    ran = host.netctl(*words)
    assert (ran.code, "no daemon of Netcrier runs here" in ran.err) == (3, True)


@pytest.mark.parametrize("words", [["api"], ["config", "show"], ["reload"]])
def test_a_daemon_that_hangs_is_7(host: Host, words: list[str]) -> None:
    host.answers("noded", hello=Deadline("no answer in 1 s"))
    assert host.netctl(*words).code == 7


def test_version_names_a_daemon_that_runs_an_old_one(host: Host) -> None:
    host.answers("masterd", version="0.0.9")
    host.answers("noded", version=__version__)
    lines = host.netctl("version").out.splitlines()
    assert lines[0] == f"netctl   {__version__}"
    assert lines[1] == f"masterd  0.0.9  restart masterd to run {__version__}"
    assert lines[2] == f"noded    {__version__}"


def test_version_without_daemons_is_no_fault(host: Host) -> None:
    ran = host.netctl("version", "--json")
    assert (ran.code, json.loads(ran.out)["daemons"]) == (0, [])
