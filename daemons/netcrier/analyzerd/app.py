"""analyzerd as a daemon: opens the rings, runs a worker for each, answers on the control socket."""

from __future__ import annotations

import argparse
import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

import msgspec

from netcrier.analyzerd import engine
from netcrier.analyzerd.capture.links import Choice, choose
from netcrier.analyzerd.capture.ring import Ring
from netcrier.analyzerd.config import Config
from netcrier.analyzerd.handlers import Handlers
from netcrier.analyzerd.logs.writer import LogWriter
from netcrier.analyzerd.worker import Worker
from netcrier.control.methods import ANALYZERD
from netcrier.control.types.shared import Reloaded
from netcrier.errors import ConfigError
from netcrier.runtime import program
from netcrier.runtime.archive import Archive
from netcrier.runtime.logs import JsonLog
from netcrier.runtime.netlink import links

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netcrier.control.methods import AnyMethod
    from netcrier.runtime.program import Place


_log = logging.getLogger(__name__)


class Analyzer:
    """The App of analyzerd; the contract is `runtime.program.App`."""

    def __init__(self, config: Config, place: Place) -> None:
        self.config = config
        self.place = place
        self.started = time.time()
        self.workers: list[Worker] = []
        self.choice = Choice((), ())
        self.rates: dict[str, float] = {}
        """Packets a second by interface, over the last second."""
        self.logs: LogWriter | None = None
        self._pulse: asyncio.Task[None] | None = None
        self._handlers = Handlers(self)

    @property
    def methods(self) -> Mapping[str, AnyMethod]:
        """What is offered."""
        return ANALYZERD

    @property
    def handlers(self) -> Mapping[str, Any]:
        """Who answers."""
        return self._handlers.table

    async def start(self) -> None:
        """Open every ring first, then capture. Raises CapabilityError, ConfigError, StoreError, OSError."""
        capture = self.config.capture
        self.choice = Choice(tuple(capture.interfaces), ()) if capture.interfaces else choose(links())
        if not self.choice.captured:
            raise ConfigError("no interface to capture: none is up; name one with --interface or capture.interfaces")
        kernels = [self._kernel(name) for name in self.choice.captured]
        rings: list[Ring] = []
        try:
            for name in self.choice.captured:
                rings.append(self._ring(name))
        except BaseException:
            for ring in rings:
                ring.close()
            raise
        self.logs = self._writer()
        self.logs.start()
        self.workers = [Worker(ring, kernel, self.logs.put) for ring, kernel in zip(rings, kernels, strict=True)]
        for worker in self.workers:
            worker.start()
        self._pulse = asyncio.create_task(self._measure())

    async def stop(self) -> None:
        """Write every conversation that is held."""
        if self._pulse:
            self._pulse.cancel()
        await asyncio.gather(*(asyncio.to_thread(worker.stop) for worker in self.workers))
        if self.logs:
            await asyncio.to_thread(self.logs.close)
            if lost := self.logs.state().lost:
                _log.error("%d lines of the logs are lost: the disk did not take them", lost)

    def reload(self, config: Config) -> Reloaded:
        """Nothing but the service log's level changes at run time."""
        changed = [name for name in ("capture", "table") if getattr(config, name) != getattr(self.config, name)]
        if msgspec.structs.replace(config.log, level=self.config.log.level) != self.config.log:
            changed.append("log")
        return Reloaded(changed=[], needs_restart=changed)

    def reopen_logs(self) -> None:
        """After a rotation."""
        if self.logs:
            self.logs.reopen()

    def summary(self) -> str:
        """What is captured."""
        return f"capturing {', '.join(self.choice.captured)}"

    def _kernel(self, interface: str) -> Any:
        return engine.new_kernel(
            checksums=engine.Checksums[self.config.capture.checksums.upper()],
            most=self.config.table.conversations,
            interface=interface,
            iso=self.config.log.time == "iso",
            interim=self.config.log.interim,
        )

    def _writer(self) -> LogWriter:
        """Every log of the engine, in files; torn tails are cut."""
        folder, section = self.place.log_dir, self.config.log
        archive = Archive(folder, section.rotation)
        logs = {name: JsonLog(folder / f"{name}.log", section.stdout, name, archive) for name in engine.LOGS}
        for log in logs.values():
            log.cut_tail()
        return LogWriter(logs)

    def _ring(self, interface: str) -> Ring:
        capture = self.config.capture
        return Ring(
            interface,
            block_size=capture.block_kib * 1024,
            blocks=capture.blocks,
            timeout_ms=capture.timeout_ms,
            promiscuous=capture.promiscuous,
        )

    async def _measure(self) -> None:
        before: dict[str, int] = {}
        while True:
            for worker in self.workers:
                name = worker.ring.interface
                with worker.lock:
                    seen = worker.kernel.counters["received"]
                self.rates[name] = float(seen - before.get(name, seen))
                before[name] = seen
            await asyncio.sleep(1)


def _flags(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--read", metavar="FILE…", help="analyse captures and exit; see analyzerd --read FILE --help")
    add("--inspect", metavar="FILE", help="show packets of a capture file as JSON and exit; as netctl inspect does")
    add("--interface", metavar="NAME", action="append", dest="capture.interfaces", help="capture this one; repeatable")
    add(
        "--promiscuous",
        action="store_const",
        const=True,
        dest="capture.promiscuous",
        help="take frames for other machines too",
    )
    add("--checksums", choices=("count", "ignore", "drop"), dest="capture.checksums", help="of wrong checksums")


def main(argv: list[str] | None = None) -> int:
    """Run the daemon; the exit status."""
    return program.run("analyzerd", Config, Analyzer, argv, extra_arguments=_flags)
