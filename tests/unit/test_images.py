"""The Dockerfile and compose.yaml agree with the programs that they run."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest
from netcrier.analyzerd.config import Config as AnalyzerConfig
from netcrier.control.paths import DEFAULTS, STATE_DIR
from netcrier.masterd.config import Config as MasterConfig
from netcrier.noded.config import Config as NodeConfig
from netcrier.runtime import config

ROOT = Path(__file__).resolve().parents[2]
DAEMONS = {"master": "masterd", "node": "noded", "analyzer": "analyzerd"}


def _stages() -> dict[str, list[str]]:
    """The instructions of each stage, continued lines joined."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    stages: dict[str, list[str]] = {}
    for line in text.splitlines():
        if found := re.fullmatch(r"FROM \S+ AS (\w+)", line):
            stages[found[1]] = []
        elif line and not line.startswith("#"):
            stages[next(reversed(stages))].append(re.sub(r"\s+", " ", line))
    return stages


STAGES = _stages()
each_target = pytest.mark.parametrize("target", DAEMONS)


@each_target
def test_process_1_is_the_daemon_in_the_foreground(target: str) -> None:
    """The list form starts no shell, which would keep SIGTERM to itself."""
    assert f'ENTRYPOINT ["{DAEMONS[target]}"]' in STAGES[target]
    assert "STOPSIGNAL SIGTERM" in STAGES["base"]


@each_target
def test_health_is_the_daemons_own_answer(target: str) -> None:
    [check] = [line for line in STAGES[target] if line.startswith("HEALTHCHECK")]
    assert check.endswith(f'CMD ["netctl", "status", "--daemon", "{DAEMONS[target]}"]')


@each_target
def test_state_outlives_the_container(target: str) -> None:
    assert f"VOLUME {DEFAULTS[STATE_DIR]}" in STAGES[target]


@pytest.mark.parametrize("target", ["master", "node"])
def test_only_the_analyzer_runs_as_root(target: str) -> None:
    assert "USER netcrier" in STAGES[target]
    assert not [line for line in STAGES["analyzer"] if line.startswith("USER")]


def test_exposed_ports_are_the_defaults() -> None:
    port = MasterConfig().port
    assert f"EXPOSE {port}/udp {port}/tcp" in STAGES["master"]
    assert f"EXPOSE {NodeConfig().port}/udp" in STAGES["node"]


def test_the_environment_sets_keys_that_exist(tmp_path: Path) -> None:
    base = {"NETCRIER_LOG_STDOUT": "1"}
    assert any("NETCRIER_LOG_STDOUT=1" in line for line in STAGES["base"])
    assert "ENV NETCRIER_IDENTITY=keep" in STAGES["node"]
    absent = tmp_path / "absent.toml"
    assert config.load(MasterConfig, absent, base, {}).config.log.stdout
    assert config.load(AnalyzerConfig, absent, base, {}).config.log.stdout
    node = config.load(NodeConfig, absent, base | {"NETCRIER_IDENTITY": "keep"}, {}).config
    assert (node.log.stdout, node.identity) == (True, "keep")


def test_the_build_context_has_all_that_is_copied_and_nothing_else() -> None:
    copied = {
        name for line in STAGES["build"] if line.startswith("COPY") for name in line.removeprefix("COPY ").split()[:-1]
    }
    rules = (ROOT / ".dockerignore").read_text().split()
    assert rules[0] == "*"
    assert {rule.removeprefix("!") for rule in rules if rule.startswith("!")} == copied
    assert all((ROOT / name).exists() for name in copied)


def test_what_is_compiled_here_stays_out_of_the_images() -> None:
    rules = [rule.removeprefix("**/") for rule in (ROOT / ".dockerignore").read_text().split() if rule[:3] == "**/"]
    for name in ("kernel.cpython-311-x86_64-linux-gnu.so", "kernel.c", "__pycache__"):
        assert any(fnmatch(name, rule) for rule in rules), name


@each_target
def test_compose_builds_and_runs_every_target(target: str) -> None:
    text = (ROOT / "compose.yaml").read_text()
    assert f"target: {target} }}" in text
    assert f"image: {target}-image" in text


def test_compose_gives_every_node_a_name_and_a_volume_of_its_own() -> None:
    text = (ROOT / "compose.yaml").read_text()
    for number in range(1, 5):
        assert (
            f'node{number}: {{ <<: *node, hostname: node{number}, volumes: ["node{number}:/var/lib/netcrier"] }}'
            in text
        )
