"""What every daemon's `main` does: flags, configuration, directories, signals, service manager, control server.

The App holds all that is particular to a daemon; this module holds no decision of any protocol. Exit status: 0 after a
clean stop, 75 where trying again may help, 77 for a missing capability, 78 for a bad configuration or state.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

import msgspec

from netcrier.control import paths
from netcrier.errors import CapabilityError, ConfigError, NetcrierError, StoreError
from netcrier.runtime import config as configuration
from netcrier.runtime.daemonize import UMASK, daemonize
from netcrier.runtime.version import VERSION

if TYPE_CHECKING:
    import asyncio

    from netcrier.control.methods import AnyMethod
    from netcrier.control.types.shared import Reloaded
    from netcrier.runtime.config import Loaded

EX_OK, EX_FAILED, EX_TEMPFAIL, EX_NOPERM, EX_CONFIG = 0, 1, 75, 77, 78

STATUS_OF: tuple[tuple[type[Exception], int], ...] = (
    (CapabilityError, EX_NOPERM),
    (ConfigError, EX_CONFIG),
    (StoreError, EX_CONFIG),
    (NetcrierError, EX_CONFIG),
    (OSError, EX_TEMPFAIL),
)
"""The first that matches decides."""

C = TypeVar("C", bound=msgspec.Struct)
C_contra = TypeVar("C_contra", bound=msgspec.Struct, contravariant=True)


@dataclass(frozen=True, slots=True)
class Place:
    """Where this daemon lives."""

    daemon: str
    """`masterd`, `noded` or `analyzerd`."""
    instance: str | None
    """The instance's name where several of this daemon run on the host."""
    state_dir: Path
    """Its own; it exists."""
    log_dir: Path
    """Its own; it exists."""
    runtime_dir: Path
    """Shared with the other daemons; it exists."""


class App(Protocol[C_contra]):
    """A daemon, without what all daemons share."""

    @property
    def methods(self) -> Mapping[str, AnyMethod]:
        """What it offers on its control socket."""

    @property
    def handlers(self) -> Mapping[str, Any]:
        """Who answers, by method name; the shared methods are answered for it."""

    async def start(self) -> None:
        """Open sockets and stores. Raises NetcrierError or OSError."""

    async def stop(self) -> None:
        """Write out what is pending; bounded in time."""

    def reload(self, config: C_contra) -> Reloaded:
        """Take over what can change at run time. Raises ConfigError and changes nothing."""

    def reopen_logs(self) -> None:
        """Open log files anew."""

    def summary(self) -> str:
        """One line for the service manager."""


@runtime_checkable
class Renewable(Protocol):
    """An App that can ask to be stopped and built anew from its disk, in the same process."""

    again: asyncio.Event


Build = Callable[[C, Place], App[C]]


def run(
    name: str,
    schema: type[C],
    build: Build[C],
    argv: list[str] | None = None,
    extra_arguments: Callable[[argparse.ArgumentParser], None] | None = None,
    repair: Callable[[Path], str] | None = None,
) -> int:
    """The daemon `name` from its command line to its exit status.

    `repair` is what `--recover` does with the state directory instead of serving; it tells what it has done.

    An argument that `extra_arguments` adds with a dotted `dest` (as `capture.interfaces`) sets that configuration key.
    """
    parser = _parser(name)
    if extra_arguments:
        extra_arguments(parser)
    if repair:
        parser.add_argument(
            "--recover", action="store_true", help="set a broken store aside, begin a new one, and exit"
        )
    arguments = parser.parse_args(argv)
    environ = {**os.environ, **_directories(arguments)}
    instance = arguments.instance or environ.get(paths.INSTANCE) or None
    file = (arguments.config or paths.config_dir(environ) / f"{paths.unit_name(name, instance)}.toml").absolute()
    flags = {
        key: (_option(parser, key), value) for key, value in vars(arguments).items() if "." in key and value is not None
    }

    def load() -> Loaded[C]:
        if arguments.config and not file.exists():
            raise ConfigError(f"{file}: no such file")
        return configuration.load(schema, file, environ, flags)

    try:
        loaded = load()
        if arguments.check_config:
            print(f"{file}: ok" if file.exists() else f"{file}: absent, the defaults hold: ok")
            return EX_OK
        os.umask(UMASK)
        place = _place(name, instance, environ)
        if repair and arguments.recover:
            print(f"{name}: {repair(place.state_dir)}")
            return EX_OK
    except NetcrierError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return status_of(error)

    def serve(ready: Callable[[], None]) -> int:
        from netcrier.runtime.service import Service  # asyncio: not for --version and --check-config

        return Service(place, build, loaded, load, ready, configuration.suspects(schema, environ)).run()

    if arguments.daemonize and os.getpid() != 1:  # as process 1 of a container, detaching would end the container
        pidfile = arguments.pidfile and Path(arguments.pidfile).absolute()
        return daemonize(pidfile, place.log_dir / "service.log", serve)
    return serve(_nothing)


def status_of(error: BaseException) -> int:
    """The exit status that tells the service manager whether starting again can help."""
    return next((status for kind, status in STATUS_OF if isinstance(error, kind)), EX_FAILED)


def _nothing() -> None:
    """Nobody waits for readiness."""


def _parser(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=name, description=f"{name} of Netcrier; runs in the foreground.")
    add = parser.add_argument
    add("--config", type=Path, metavar="FILE", help=f"configuration (default: /etc/netcrier/{name}.toml)")
    add("--check-config", action="store_true", help="check the configuration and exit with 0 or 78")
    add("--daemonize", action="store_true", help="detach; for hosts without a service manager")
    add("--pidfile", metavar="FILE", help="with --daemonize: locked while the daemon runs")
    add("--instance", metavar="NAME", help="the name of this instance where several run on the host")
    add("--state-dir", metavar="DIR", help="state is kept in a folder of DIR (default: /var/lib/netcrier)")
    add("--log-dir", metavar="DIR", help="JSON logs go to a folder of DIR (default: /var/log/netcrier)")
    add("--runtime-dir", metavar="DIR", help="the control socket is in DIR (default: /run/netcrier)")
    add("--log-level", dest="log.level", choices=("debug", "info", "warning", "error"), help="of the service log")
    add("--version", action="version", version=f"{name} {VERSION}")
    return parser


def _option(parser: argparse.ArgumentParser, dest: str) -> str:
    """The flag's name as a user typed it."""
    return next(
        (action.option_strings[-1] for action in parser._actions if action.dest == dest and action.option_strings), dest
    )


def _directories(arguments: argparse.Namespace) -> dict[str, str]:
    given = {
        paths.STATE_DIR: arguments.state_dir,
        paths.LOG_DIR: arguments.log_dir,
        paths.RUNTIME_DIR: arguments.runtime_dir,
    }
    return {name: str(Path(value).absolute()) for name, value in given.items() if value}


def _place(name: str, instance: str | None, environ: Mapping[str, str]) -> Place:
    state, logs = paths.state_dir(name, instance, environ), paths.log_dir(name, instance, environ)
    runtime = paths.runtime_dir(environ)
    for directory, mode, option in ((state, 0o750, "state"), (logs, 0o750, "log"), (runtime, 0o755, "runtime")):
        try:
            if not directory.is_dir():
                directory.mkdir(parents=True)
                directory.chmod(mode)
        except OSError as error:
            variable = f"NETCRIER_{option.upper()}_DIR"
            raise ConfigError(f"{directory}: {error.strerror}; --{option}-dir or {variable} names another") from None
    return Place(name, instance, state.absolute(), logs.absolute(), runtime.absolute())
