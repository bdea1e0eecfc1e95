"""A small daemon for tests: a ControlServer in a thread, with a few methods and a caller of any rights."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
from netcrier.control.methods import AnyMethod, Method, Stream, table
from netcrier.control.rights import Credentials, Policy, credentials
from netcrier.control.server import About, Caller, ControlServer
from netcrier.control.types.shared import ConfigShown, Done, Nothing, Reloaded, Right
from netcrier.errors import ConfigError, NotFoundError, StoreError, UsageError

READERS_GID, CHANGERS_GID = 7001, 7002


class Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters and result of `echo`."""

    text: str


class Number(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters and items of the streams."""

    number: int


ECHO = Method("echo", Text, Text, Right.READ, "Gives back the text.")
FAIL = Method("fail", Text, Done, Right.READ, "Fails in the way that the text names.")
SET = Method("set", Nothing, Done, Right.CHANGE, "Changes something.")
HANG = Method("hang", Nothing, Done, Right.READ, "Never answers.")
COUNT = Stream("count", Number, Number, Right.READ, "Counts up to the number; waits for credit.")
RACE = Stream("race", Number, Number, Right.READ, "Counts up to the number; drops without credit.", lossless=False)
TEST_METHODS: Mapping[str, AnyMethod] = table(ECHO, FAIL, SET, HANG, COUNT, RACE)

FAILURES: Mapping[str, Exception] = {
    "usage": UsageError("not so"),
    "not-found": NotFoundError("no such thing"),
    "config": ConfigError("a bad file"),
    "store": StoreError("the disk is full"),
    "failed": ZeroDivisionError("a secret detail"),
}


class ControlDaemon:
    """`with ControlDaemon(path) as daemon`: answers on `path` until the block ends."""

    def __init__(
        self, path: Path, uid: int = 0, groups: frozenset[int] = frozenset(), own_uid: int = 1, real: bool = False
    ) -> None:
        self.path = path
        self.uid, self.groups = uid, groups
        """Who every new client is."""
        self._real = real
        """Whether the kernel says who a client is, and not `uid` and `groups`."""
        self.changes: list[tuple[int, str]] = []
        self.pulled = 0
        """Items that the stream's source has given."""
        self.closed = threading.Event()
        """Set when a stream's source was closed."""
        self._policy = Policy(own_uid, READERS_GID, CHANGERS_GID)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> ControlDaemon:
        self._server = ControlServer(
            self.path,
            TEST_METHODS,
            {
                "echo": self._echo,
                "fail": self._fail,
                "set": self._set,
                "hang": self._hang,
                "count": self._count,
                "race": self._count,
                "logs.reopen": self._set,
                "reload": self._reload,
                "config.show": self._show,
            },
            About("masterd", None, "1.2.3"),
            lambda caller, method: self.changes.append((caller.uid, method)),
            credentials if self._real else lambda _sock: Credentials(4711, self.uid, self.groups),
            self._policy,
        )
        self._thread.start()
        self.run(self._server.start)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.run(self._server.close)
        self.run(self._settle)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def run(self, coroutine: Callable[[], Any]) -> Any:
        """Run it in the daemon's loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(coroutine(), self._loop).result(10)

    async def _settle(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _echo(self, params: Text, _caller: Caller) -> Text:
        return params

    async def _fail(self, params: Text, _caller: Caller) -> Done:
        raise FAILURES[params.text]

    async def _set(self, _params: Nothing, _caller: Caller) -> Done:
        return Done()

    async def _hang(self, _params: Nothing, _caller: Caller) -> Done:
        await asyncio.Event().wait()
        return Done()

    async def _reload(self, _params: Nothing, _caller: Caller) -> Reloaded:
        return Reloaded(changed=["log.level"], needs_restart=[])

    async def _show(self, _params: Nothing, _caller: Caller) -> ConfigShown:
        return ConfigShown([])

    async def _count(self, params: Number, _caller: Caller) -> AsyncIterator[Number]:
        try:
            for number in range(params.number):
                self.pulled += 1
                yield Number(number)
                await asyncio.sleep(0)
        finally:
            self.closed.set()
