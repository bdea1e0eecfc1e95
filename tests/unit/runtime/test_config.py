"""Configuration: who wins, what is refused, and how the refusal names its place."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from netcrier.errors import ConfigError
from netcrier.runtime.config import Loaded, LogSection, load, suspects
from netcrier.runtime.toml_lines import key_lines


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the tests configure."""

    port: int = 12345
    interfaces: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    token: str = ""
    log: LogSection = LogSection()


MASK = '"***"'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "noded.toml"


def _load(file: Path, environ: dict[str, str] | None = None, **flags: tuple[str, object]) -> Loaded[Config]:
    return load(Config, file, environ or {}, {key.replace("__", "."): value for key, value in flags.items()})


def test_without_any_file_the_defaults_hold(file: Path) -> None:
    assert _load(file).config == Config()


def test_the_later_source_wins_and_its_origin_is_kept(file: Path) -> None:
    file.write_text("# a comment\nport = 1\n[log]\ntime = 'iso'\nlevel = 'error'\n")
    file.with_suffix(".d").mkdir()
    file.with_suffix(".d").joinpath("20.toml").write_text("port = 3\n")
    file.with_suffix(".d").joinpath("10.toml").write_text("port = 2\ninterfaces = ['eth0']\n")
    loaded = _load(file, {"NETCRIER_LOG_LEVEL": "debug"}, log__time=("--log-time", "epoch"))
    assert loaded.config == Config(port=3, interfaces=("eth0",), log=LogSection(level="debug"))
    shown = {row.key: (row.value, row.origin) for row in loaded.show().values}
    assert shown["port"] == ("3", f"{file.with_suffix('.d')}/20.toml:1")
    assert shown["log.level"] == ('"debug"', "$NETCRIER_LOG_LEVEL")
    assert shown["log.time"] == ('"epoch"', "--log-time")
    assert shown["log.stdout"] == ("false", "default")


def test_a_secret_is_never_shown(file: Path) -> None:
    shown = {row.key: row.value for row in _load(file, {"NETCRIER_TOKEN": "ABC"}).show().values}
    assert shown["token"] == MASK


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("port = 1\n\nprot = 2\n", ":3: unknown key `prot`; did you mean `port`?"),
        ("[log]\n# here\ntmie = 'iso'\n", ":3: unknown key `log.tmie`; did you mean `log.time`?"),
        ("interfaces = [\n  'a',\n]\nstdout = true\n", ":4: unknown key `stdout`; did you mean `log.stdout`?"),
        ("zzz = 1\n", ":1: unknown key `zzz`; keys: interfaces, log, port, tags, token"),
        ("\nport = 'x'\n", ":2: `port`: expected `int`, got `str`"),
        ("[log]\n\ntime = 'sundial'\n", ":3: `log.time`: invalid enum value 'sundial'"),
        ("log = 5\n", ":1: `log`: expected `object`, got `int`"),
        ("interfaces = [\n 1,\n]\n", ":1: `interfaces`: expected `str`, got `int`"),
        ("port = 1\nport = 2\n", ":2: "),
        ("port = \n", ":1: invalid value"),
    ],
)
def test_a_mistake_is_named_with_file_line_and_the_key_that_was_meant(file: Path, text: str, complaint: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError) as error:
        _load(file)
    assert str(error.value).startswith(f"{file}{complaint}")


def test_a_file_that_is_no_text_is_refused(file: Path) -> None:
    file.write_bytes(b"port = \xff\n")
    with pytest.raises(ConfigError, match="not UTF-8"):
        _load(file)


def test_variables_are_read_as_their_keys_need(file: Path) -> None:
    environ = {
        "NETCRIER_PORT": "7",
        "NETCRIER_INTERFACES": "eth0, eth1",
        "NETCRIER_TAGS": "role=web,site=fra",
        "NETCRIER_LOG_STDOUT": "1",
    }
    config = _load(file, environ).config
    assert (config.port, config.interfaces, config.log.stdout) == (7, ("eth0", "eth1"), True)
    assert config.tags == {"role": "web", "site": "fra"}


@pytest.mark.parametrize(("name", "value"), [("PORT", "many"), ("TAGS", "role"), ("LOG_STDOUT", "perhaps")])
def test_a_wrong_variable_is_named(file: Path, name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"^\$NETCRIER_{name}: "):
        _load(file, {f"NETCRIER_{name}": value})


def test_a_mistyped_variable_is_suspected_and_a_foreign_one_is_not() -> None:
    environ = {"NETCRIER_INTERFACE": "eth0", "NETCRIER_RUNTIME_DIR": "/run", "NETCRIER_CAPTURE_SIZE": "1", "HOME": "/"}
    assert suspects(Config, environ) == ["$NETCRIER_INTERFACE is no key; did you mean $NETCRIER_INTERFACES?"]


def test_keys_have_the_line_on_which_they_begin() -> None:
    text = 'a = 1\n\nb = """\nx = 1\n"""\n[t.u]\n# c = 2\nc = [\n  3,\n]\n\'d e\' = {f = 4}\n'
    assert key_lines(text) == {"a": 1, "b": 3, "t.u": 6, "t.u.c": 8, "t.u.d e.f": 11}
