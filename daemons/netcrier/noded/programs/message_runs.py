"""The message handlers at work: one message of each lane at a time, in the journal's order, its handlers by name.

Rules:
- A start is in the journal before the handler is started. A handler that noded finds begun and not ended when it starts
  is `uncertain` and not run again, unless the configuration calls it idempotent; those behind it run.
- A handler that fails keeps none from running; the message's code is the first that is not 0.
- What is not in the log yet waits: a handler runs for what is delivered.
- A lane without work has no task.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final, ParamSpec, Protocol, TypeVar

import msgspec
from msgspec.structs import replace

from netcrier.errors import StoreError
from netcrier.noded.programs.runner import Run
from netcrier.wire.handled import Code, words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netcrier.core.outcomes import Untold
    from netcrier.noded.config import HandlersSection
    from netcrier.noded.journal.entry import Entry
    from netcrier.noded.journal.journal import Journal
    from netcrier.noded.journal.run_book import Due
    from netcrier.noded.programs.files import HandlerFiles
    from netcrier.noded.programs.runs import Runs
    from netcrier.runtime.store import Writer

_P = ParamSpec("_P")
_T = TypeVar("_T")
_log = logging.getLogger("netcrier.noded")
_RETRY: Final = 1.0
"""Seconds after which a journal that refused is tried again."""
STOP_WITHIN: Final = 5.0
"""Seconds that a handler has to end when noded stops; then it is killed, and `uncertain` at the next start."""
_SAID: Final = 200
"""Bytes of a failed handler's output that the service log repeats."""


class Failure(msgspec.Struct, frozen=True):
    """The last handler that did not end with 0. `at`: epoch seconds."""

    handler: str
    message: str
    code: int
    at: float


class Host(Protocol):
    """What message handlers need to know of their node."""

    def facts_of(self, entry: Entry) -> dict[str, str]:
        """A message's variables, without their NETCRIER_."""

    def runs_for(self, entry: Entry) -> bool:
        """Whether anything runs for the message's master."""

    def follows(self, entry: Entry) -> bool:
        """Whether the message's master is the one that is told what became of it."""

    def told(self, untold: Sequence[Untold]) -> None:
        """These are in the journal: tell them."""

    def refused(self, error: StoreError) -> None:
        """The journal cannot be written at present."""


class MessageRuns:
    """See the module."""

    def __init__(
        self, config: HandlersSection, runs: Runs, files: HandlerFiles, journal: Journal, writer: Writer, host: Host
    ) -> None:
        self._config, self._runs, self._files = config, runs, files
        self._journal, self._writer, self._host = journal, writer, host
        self._workers: dict[int, asyncio.Task[None]] = {}
        self._woken: set[int] = set()
        self._stopping = False
        self.running = 0
        self.failures = 0
        self.last_failure: Failure | None = None

    @property
    def waiting(self) -> int:
        """Messages whose handlers have not ended, without those that run."""
        return max(0, sum(self._journal.runs.waiting.values()) - self.running)

    def wake(self) -> None:
        """Something may be there to do: after the start, and after what was logged."""
        if self._stopping:
            return
        for lane, count in self._journal.runs.waiting.items():
            if count:
                self._woken.add(lane)
                if lane not in self._workers:
                    self._workers[lane] = asyncio.get_running_loop().create_task(self._work(lane))

    async def stop(self) -> None:
        """Begin nothing more; what runs has a little time to end."""
        self._stopping = True
        tasks = list(self._workers.values())
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_WITHIN)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, lane: int) -> None:
        """Until the lane has no more to do."""
        try:
            while lane in self._woken and not self._stopping:
                self._woken.discard(lane)
                while await self._step(lane):
                    pass
        finally:
            del self._workers[lane]

    async def _step(self, lane: int) -> bool:
        """One message; False where none is due."""
        due = await self._kept(self._journal.runs.next, lane)
        if due is None or due.n > self._journal.logged or self._stopping:
            return False
        [entry] = await self._kept(self._journal.entries, due.n - 1, 1)
        if self._host.runs_for(entry):
            if due.running:
                due = await self._taken_up(due, entry)
            while name := self._name_after(due.handler):
                if self._stopping:
                    await self._kept(self._journal.mark_run, due)
                    return False
                due = await self._run(replace(due, handler=name), entry)
        told = await self._kept(self._journal.end_run, due, entry, self._host.follows(entry))
        if told:
            self._host.told(told)
        return True

    async def _taken_up(self, due: Due, entry: Entry) -> Due:
        """A message as it goes on behind a handler whose end nobody knows."""
        if due.handler in self._config.idempotent:
            return await self._run(due, entry)
        return self._ended(due, entry, Code.UNCERTAIN, b"")

    async def _run(self, due: Due, entry: Entry) -> Due:
        """Run one handler; the message after it. Its end is kept with what follows."""
        await self._kept(self._journal.mark_run, replace(due, running=True))
        bounds, facts = self._config, self._host.facts_of(entry)
        asked = Run(due.handler, facts, entry.body, bounds.seconds, bounds.output_kib << 10, bounds.memory_mib << 20)
        self.running += 1
        try:
            ran = await self._runs.run(asked)
        finally:
            self.running -= 1
        return self._ended(due, entry, ran.code, ran.output)

    def _ended(self, due: Due, entry: Entry, code: int, output: bytes) -> Due:
        if code == Code.NO_HANDLER:  # taken away meanwhile
            return replace(due, running=False)
        if code:
            self.failures += 1
            self.last_failure = Failure(due.handler, str(entry.id), code, time.time())
            said = output[:_SAID].decode(errors="replace").strip()
            _log.warning(
                "handler %s for message %s: %s%s",
                due.handler,
                entry.id,
                words(code),
                f"; it said {said!r}" * bool(said),
            )
        return replace(due, running=False, code=due.code or code)

    def _name_after(self, handler: str) -> str | None:
        """The handler that runs behind this one."""
        return next((name for name in self._files.messages() if name > handler), None)

    async def _kept(self, task: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Do it in the journal; a journal that refuses is tried again."""
        while True:
            try:
                return await self._writer.run(task, *args, **kwargs)
            except StoreError as error:
                self._host.refused(error)
                await asyncio.sleep(_RETRY)
