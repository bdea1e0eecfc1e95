"""A host on which daemons run that answer from a script, and a netctl that talks to them."""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from netcrier.control.client import Client
from netcrier.control.failures import ControlError, NotRunning
from netcrier.control.methods import TABLES, Stream
from netcrier.control.types.shared import Nothing, Welcome
from netcrier_ctl import program
from netcrier_ctl.options import options_of
from netcrier_ctl.session import Session

NOW = 1_800_000_000.0
"""Friday 2027-01-15 08:00:00 UTC."""

Answer = Any
"""A result, a list of items for a stream, an exception to raise, or a function of the parameters that gives one."""


class Output(io.StringIO):
    """Output that is no terminal; bytes go to `written`."""

    def __init__(self) -> None:
        super().__init__()
        self.written = io.BytesIO()

    @property
    def buffer(self) -> io.BytesIO:
        return self.written


class Terminal(Output):
    """Output that is a terminal."""

    def isatty(self) -> bool:
        return True


class Ran(NamedTuple):
    """How one run of netctl ended."""

    code: int
    out: str
    err: str


class Host:
    """Which daemons run, what they answer, and what they were asked."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.daemons: dict[str, dict[str, Answer]] = {}
        self.calls: list[tuple[str, str, Any]] = []
        self.environ = {
            "NETCRIER_RUNTIME_DIR": str(place / "run"),
            "NETCRIER_LOG_DIR": str(place / "log"),
        }
        self.out, self.err = io.StringIO(), io.StringIO()
        """Of the last run, also where it ended by an exception."""
        self.monotonic = 0.0
        self.on_sleep: Callable[[], None] | None = None
        self.timeouts: list[float] = []
        """Of each connection."""
        self.bounds: list[tuple[float | None, float | None]] = []
        """`idle` and `until` of each stream."""

    def answers(self, unit: str, **answers: Answer) -> None:
        """The daemon runs; `node_approve=` answers the method `node.approve`."""
        self.daemons.setdefault(unit, {}).update({name.replace("_", "."): value for name, value in answers.items()})

    def asked(self, method: str) -> list[Any]:
        """The parameters of each call of a method."""
        return [params for _, name, params in self.calls if name == method]

    def netctl(self, *words: str, stdin: bytes = b"", terminal: bool = False) -> Ran:
        """Run it."""
        out, err = (Terminal() if terminal else Output()), io.StringIO()
        self.out, self.err = out, err
        command, args = program.parsed(words)
        session = self._session(args, stdin, out, err)
        return Ran(program.run(command, session, args), out.getvalue(), err.getvalue())

    def _session(self, args: argparse.Namespace, stdin: bytes, out: io.StringIO, err: io.StringIO) -> Session:
        options = options_of(args)
        screen = program.screen_of(options, self.environ, out, err)
        clocks = (lambda: NOW, lambda: self.monotonic, self._sleep)
        return Session(options, screen, self.environ, io.BytesIO(stdin), self._dial, *clocks)

    def _dial(self, path: Path, timeout: float) -> Client:
        self.timeouts.append(timeout)
        if path.stem not in self.daemons:
            raise NotRunning(f"nothing answers on {path}")
        return FakeClient(self, path.stem)

    def _sleep(self, seconds: float) -> None:
        self.monotonic += seconds
        if self.on_sleep is not None:
            self.on_sleep()


class FakeClient(Client):
    """Answers from the host's script, and holds every call against the method table."""

    def __init__(self, host: Host, unit: str) -> None:
        self._host, self._unit = host, unit
        self._daemon = unit.partition("@")[0]
        self._script = host.daemons[unit]
        if isinstance(self._script.get("hello"), ControlError):
            raise self._script["hello"]
        version = self._script.get("version", "0.1.0")
        self.welcome = Welcome(protocol=1, daemon=self._daemon, version=version, pid=7, may=["read"])

    def close(self) -> None:
        """Nothing is open."""

    def call(self, method: Any, params: Any = None) -> Any:
        """The scripted result."""
        name = method if isinstance(method, str) else method.name
        row = TABLES[self._daemon][name]
        assert isinstance(params or Nothing(), row.params)
        self._host.calls.append((self._unit, name, params))
        answer = _given(self._script[name], params)
        assert isinstance(answer, row.result)
        return answer

    def stream(self, method: Any, params: Any = None, idle: float | None = None, until: float | None = None) -> Any:
        """The scripted items."""
        row = TABLES[self._daemon][method if isinstance(method, str) else method.name]
        assert isinstance(row, Stream)
        assert isinstance(params, row.params)
        self._host.calls.append((self._unit, row.name, params))
        self._host.bounds.append((idle, until))
        return self._items(_given(self._script[row.name], params), row.item)

    def _items(self, answers: Sequence[Any], kind: type) -> Iterator[Any]:
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
            assert isinstance(answer, kind)
            yield answer


def _given(answer: Answer, params: Any) -> Any:
    value = answer(params) if callable(answer) else answer
    if isinstance(value, BaseException):
        raise value
    return value
