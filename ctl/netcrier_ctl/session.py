"""What a command works with: the options, the screen, standard input, the clocks, and the way to the daemons."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from netcrier.control.client import Client
from netcrier.control.failures import ControlError, NotRunning
from netcrier.control.paths import DAEMONS, INSTANCE, runtime_dir, socket_path, unit_name

from netcrier_ctl.complaint import Failure, failure_of, start_command
from netcrier_ctl.document import Document, encoded
from netcrier_ctl.exit_codes import Exit
from netcrier_ctl.options import TIMEOUT, Options
from netcrier_ctl.screen import Screen

Dial = Callable[[Path, float], Client]
"""Opens a connection: the socket's path, and the seconds that bound each call. Raises ControlError."""


class Session:
    """One run of netctl."""

    def __init__(
        self,
        options: Options,
        screen: Screen,
        environ: Mapping[str, str],
        stdin: BinaryIO,
        dial: Dial = Client,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`now` gives epoch seconds, `clock` seconds that never go back."""
        self.options, self.screen, self.environ, self.stdin = options, screen, environ, stdin
        self.now, self.clock, self.sleep = now, clock, sleep
        self._dial = dial

    @property
    def timeout(self) -> float:
        """Seconds in which a daemon must answer."""
        return self.options.timeout or TIMEOUT

    def unit(self, daemon: str) -> str:
        """The unit of `daemon` that is meant: the one of --daemon or of NETCRIER_INSTANCE. Raises Failure."""
        chosen = self.options.daemon
        if chosen is None:
            return unit_name(daemon, self.environ.get(INSTANCE))
        if chosen.partition("@")[0] != daemon:
            raise Failure(Exit.USAGE, f"--daemon {chosen}: this is for {daemon}", f"leave it out, or name a {daemon}")
        return chosen

    def units(self) -> list[str]:
        """What --daemon or --socket names, else every daemon that may run here, and the instances with a socket."""
        if self.options.daemon is not None:
            return [self.options.daemon]
        if self.options.socket is not None:
            return [Path(self.options.socket).name.removesuffix(".sock")]
        found = {path.stem for path in runtime_dir(self.environ).glob("*@*.sock")}
        names = []
        for daemon in DAEMONS:
            instances = sorted(name for name in found if name.partition("@")[0] == daemon)
            own = unit_name(daemon, self.environ.get(INSTANCE))
            if own not in instances and (not instances or self.path(own).exists()):
                names.append(own)
            names += instances
        return names

    def running(self) -> list[str]:
        """The units that run here. Raises Failure (exit 3) where none does."""
        found = [unit for unit in self.units() if self._runs(unit)]
        if not found:
            wanted = self.options.daemon
            what = f"{wanted} is not running" if wanted else "no daemon of Netcrier runs here"
            raise Failure(Exit.NOT_RUNNING, what, start_command(wanted or "noded"))
        return found

    def first_running(self, *daemons: str) -> str:
        """The unit of the first of `daemons` that runs; --daemon and --socket decide where given. Raises Failure."""
        chosen = self.options.daemon
        if chosen is not None and chosen.partition("@")[0] not in daemons:
            raise Failure(Exit.USAGE, f"--daemon {chosen}: this is for {' or '.join(daemons)}")
        if chosen is not None or self.options.socket is not None:
            return self.units()[0]
        units = [self.unit(daemon) for daemon in daemons]
        for unit in units:
            if self._runs(unit):
                return unit
        raise Failure(Exit.NOT_RUNNING, f"neither {' nor '.join(units)} runs here", start_command(units[0]))

    def path(self, unit: str) -> Path:
        """The control socket of a unit, or that of --socket."""
        if self.options.socket is not None:
            return Path(self.options.socket)
        daemon, _, instance = unit.partition("@")
        return socket_path(daemon, instance or None, self.environ)

    @contextmanager
    def connect(self, unit: str, timeout: float | None = None) -> Iterator[Client]:
        """A connection to a unit; `timeout` in seconds bounds each call. What goes wrong in it is a Failure."""
        try:
            with self._dial(self.path(unit), timeout or self.timeout) as client:
                yield client
        except ControlError as error:
            raise failure_of(unit, error) from error

    def document(self, kind: str, fields: Document) -> None:
        """One JSON object on standard output; `kind` is `status` for the schema `netctl.status/1`."""
        self.screen.raw(encoded(kind, fields))

    def _runs(self, unit: str) -> bool:
        try:
            self._dial(self.path(unit), self.timeout).close()
        except NotRunning:
            return False
        except ControlError:
            return True  # it answers, if only to refuse: the call that follows says why
        return True
