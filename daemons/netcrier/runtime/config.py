"""Configuration: built-in defaults, the file, `*.d/*.toml`, the environment, flags; the later wins.

The result is one frozen value and the origin of each key. Strict: an unknown key or a wrong type is a ConfigError that
names file and line and, where there is one, the key that was probably meant. A `NETCRIER_*` variable that is no key is
not an error, as one environment may serve several daemons. What a key means is in each daemon's `config`.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeVar, get_origin

import msgspec

from netcrier.control import paths
from netcrier.control.types.shared import ConfigShown, ConfigValue
from netcrier.errors import ConfigError
from netcrier.runtime.archive import Compression, Rotation
from netcrier.runtime.toml_lines import flatten, key_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

Level = Literal["debug", "info", "warning", "error"]

SECRET_KEYS = ("token", "secret", "password")
"""Last parts of keys whose values are never shown."""

_AT = re.compile(r" - at `\$\.?([^`]*)`$")


class LogSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[log]`: how a daemon writes its logs."""

    time: Literal["epoch", "iso"] = "epoch"
    """Epoch seconds with six decimals, or RFC 3339 in UTC."""
    stdout: bool = False
    """Write JSON logs to standard output, each line tagged with its log, as containers want it."""
    level: Level = "info"
    """The least severe line of the service log."""
    rotate_mib: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 100
    """A JSON log of so many MiB is put aside for a new file; 0: its size does not matter."""
    rotate_hours: Annotated[int, msgspec.Meta(ge=0, le=8760)] = 24
    """A file holds lines of one span of so many hours, counted from midnight UTC; 0: its age does not matter."""
    budget_mib: Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)] = 2048
    """MiB of the daemon's log folder; beyond it the oldest rotated files go. 0: none goes."""
    compression: Compression = "auto"
    """Of rotated files; auto is zstd where zstandard is installed, else gzip."""

    @property
    def rotation(self) -> Rotation:
        """The four keys above as the logs take them."""
        return Rotation(self.rotate_mib << 20, self.rotate_hours * 3600, self.budget_mib << 20, self.compression)


C = TypeVar("C", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Source:
    """Values by dotted key, and for each where it stands."""

    values: Mapping[str, Any]
    origins: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Loaded(Generic[C]):
    """A configuration in force."""

    config: C
    origins: Mapping[str, str]

    def show(self) -> ConfigShown:
        """Every key with its value and origin; secrets masked."""
        values = flatten(msgspec.to_builtins(self.config))
        return ConfigShown(
            [
                ConfigValue(key=key, value=_shown(key, value), origin=self.origins.get(key, "default"))
                for key, value in sorted(values.items())
            ]
        )


def load(schema: type[C], file: Path, environ: Mapping[str, str], flags: Mapping[str, tuple[str, Any]]) -> Loaded[C]:
    """Read and check everything.

    `file` may be missing; `flags` maps a dotted key to the flag's name and its value. Raises ConfigError.
    """
    known = dict(_fields(schema))
    sources = [_read(path) for path in _files(file)]
    for source in sources:
        _refuse_unknown(schema, known, source)
    sources += [_environment(known, environ), _flags(flags)]
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for source in sources:
        values |= source.values
        origins |= source.origins
    try:
        return Loaded(msgspec.convert(_nest(values), schema), origins)
    except msgspec.ValidationError as error:
        raise ConfigError(_explain(str(error), origins)) from None


def suspects(schema: type[msgspec.Struct], environ: Mapping[str, str]) -> list[str]:
    """Variables that look like a mistyped key of `schema`: one sentence each."""
    names = {_variable(key) for key, _ in _fields(schema)}
    others = {paths.INSTANCE, *paths.DEFAULTS}
    strange = [name for name in environ if name.startswith("NETCRIER_") and name not in names | others]
    near = {name: difflib.get_close_matches(name, names, 1, 0.9) for name in strange}
    return [f"${name} is no key; did you mean ${match[0]}?" for name, match in near.items() if match]


def _files(file: Path) -> Iterator[Path]:
    if file.exists():
        yield file
    yield from sorted(file.with_suffix(".d").glob("*.toml"))


def _read(path: Path) -> Source:
    try:
        text = path.read_text("utf-8")
        values = {key: value for key, value in flatten(tomllib.loads(text)).items() if value != {}}
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at line (\d+)", str(error))
        where = f"{path}:{found[1]}" if found else f"{path}:{text.count(chr(10)) or 1}"
        raise ConfigError(f"{where}: {re.sub(r' [(]at .*[)]$', '', str(error)).lower()}") from None
    lines = key_lines(text)
    return Source(values, {key: f"{path}:{lines.get(key, 1)}" for key in values})


def _refuse_unknown(schema: type[msgspec.Struct], known: Mapping[str, Any], source: Source) -> None:
    maps = [key for key, kind in known.items() if _is_map(kind)]
    for key in source.values:
        if key in known or any(key == name or key.startswith(f"{name}.") for name in maps):
            continue
        scalar = next((name for name in known if key.startswith(f"{name}.")), None)
        if scalar or any(name.startswith(f"{key}.") for name in known):
            continue  # a table where a value belongs, or the reverse: the conversion says so
        near = _near(key, known)
        hint = f"; did you mean `{near}`?" if near else f"; keys: {', '.join(sorted(schema.__struct_fields__))}"
        raise ConfigError(f"{source.origins[key]}: unknown key `{key}`{hint}")


def _near(key: str, known: Iterable[str]) -> str | None:
    """The known key that `key` probably means: alike as a whole, or in its last part."""
    names = list(known)
    whole = difflib.get_close_matches(key, names, 1, 0.6)
    if whole:
        return whole[0]
    last = {name.rpartition(".")[2]: name for name in names}
    part = difflib.get_close_matches(key.rpartition(".")[2], last, 1, 0.7)
    return last[part[0]] if part else None


def _fields(schema: type[msgspec.Struct], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every dotted key with its type; a nested struct gives its keys."""
    for field in msgspec.structs.fields(schema):
        key = f"{prefix}{field.encode_name}"
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from _fields(field.type, f"{key}.")
        else:
            yield key, field.type


def _is_map(kind: Any) -> bool:
    return isinstance(msgspec.inspect.type_info(kind), msgspec.inspect.DictType)


def _is_list(kind: Any) -> bool:
    return get_origin(kind) in (list, tuple, frozenset, set)


def _variable(key: str) -> str:
    return "NETCRIER_" + key.replace(".", "_").upper()


def _environment(known: Mapping[str, Any], environ: Mapping[str, str]) -> Source:
    """`NETCRIER_LOG_TIME=iso` is `log.time`; lists are split at commas, maps are `a=b,c=d`."""
    values, origins = {}, {}
    for key, kind in known.items():
        name = _variable(key)
        if name not in environ:
            continue
        try:
            value = msgspec.to_builtins(msgspec.convert(_parse(kind, environ[name]), kind, strict=False))
        except (msgspec.ValidationError, ValueError) as error:
            raise ConfigError(f"${name}: {_lower(_AT.sub('', str(error)))}") from None
        for leaf, part in flatten({key: value}).items():
            values[leaf], origins[leaf] = part, f"${name}"
    return Source(values, origins)


def _parse(kind: Any, text: str) -> Any:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if _is_map(kind):
        if not all("=" in part for part in parts):
            raise ValueError("expected name=value, separated by commas")
        return {name.strip(): value.strip() for name, _, value in (part.partition("=") for part in parts)}
    return parts if _is_list(kind) else text


def _flags(flags: Mapping[str, tuple[str, Any]]) -> Source:
    return Source({key: value for key, (_, value) in flags.items()}, {key: name for key, (name, _) in flags.items()})


def _nest(values: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, value in values.items():
        *path, last = key.split(".")
        place = nested
        for part in path:
            inner = place.setdefault(part, {})
            if not isinstance(inner, dict):
                raise ConfigError(f"`{part}` is both a value and a table")
            place = inner
        place[last] = value
    return nested


def _explain(error: str, origins: Mapping[str, str]) -> str:
    """msgspec's `Expected …, got … - at `$.a.b`` with the place in the file in front."""
    found = _AT.search(error)
    text = _lower(_AT.sub("", error))
    if not found:
        return text
    key = re.sub(r"\[.*", "", found[1])
    origin = next((place for name, place in origins.items() if name == key or name.startswith(f"{key}.")), None)
    return f"{origin}: `{key}`: {text}" if origin else f"`{key}`: {text}"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _shown(key: str, value: Any) -> str:
    if value and key.rpartition(".")[2] in SECRET_KEYS:
        return '"***"'
    return msgspec.json.encode(value).decode()
