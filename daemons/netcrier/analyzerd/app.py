"""analyzerd as a daemon: opens the rings, runs a worker for each, answers on the control socket."""

from __future__ import annotations

import argparse
import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

import msgspec

from netcrier.analyzerd import engine
from netcrier.analyzerd.balance import Unrecorded
from netcrier.analyzerd.capture.recent import Recent
from netcrier.analyzerd.capture.ring import RingOptions
from netcrier.analyzerd.config import Config
from netcrier.analyzerd.handlers import Handlers
from netcrier.analyzerd.logs import stats
from netcrier.analyzerd.logs.writer import LogWriter
from netcrier.analyzerd.meter import Meter
from netcrier.analyzerd.tap import Tap, Taps
from netcrier.control.methods import ANALYZERD
from netcrier.control.types.shared import Reloaded
from netcrier.runtime import netlink, program
from netcrier.runtime.archive import Archive
from netcrier.runtime.logs import JsonLog, stamp
from netcrier.runtime.privileges import drop_privileges

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from netcrier.analyzerd.engine.kernel import Kernel
    from netcrier.analyzerd.worker import Counts
    from netcrier.control.methods import AnyMethod
    from netcrier.control.types.analyzer import StatsRow
    from netcrier.runtime.program import Place


_log = logging.getLogger(__name__)


class Analyzer:
    """The App of analyzerd; the contract is `runtime.program.App`."""

    def __init__(self, config: Config, place: Place) -> None:
        self.config = config
        self.place = place
        self.started = time.time()
        capture = config.capture
        self.recent = Recent(capture.recent_mib << 20)
        self.unrecorded = Unrecorded()
        options = RingOptions(
            capture.block_kib * 1024, capture.blocks, capture.timeout_ms, capture.promiscuous, capture.filter,
            capture.snap,
        )  # fmt: skip
        self.taps = Taps(options, capture.workers, self._put, self.recent, self._kernel, self._ended)
        self.logs: LogWriter
        self.archive: Archive
        self.meter: Meter
        self._tasks: list[asyncio.Task[None]] = []
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
        """Open every socket, give up all privileges, then capture.

        Raises CapabilityError, ConfigError, StoreError, OSError.
        """
        capture = self.config.capture
        self.taps.open(tuple(capture.interfaces), capture.spare_sockets, netlink.links())
        drop_privileges()
        self.logs = self._writer()
        self.meter = Meter(self.recent, self.logs, self.unrecorded, self.config.table.conversations)
        self.meter.interval([], time.monotonic())
        self.logs.start()
        self.taps.start()
        changes = netlink.listener(netlink.Group.LINKS)
        changes.setblocking(False)
        self._tasks = [asyncio.create_task(work) for work in (self._measure(), self._follow(changes))]

    async def stop(self) -> None:
        """Write every conversation that is held."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self.taps.stop)
        self._write_stats()
        self.taps.close()
        await asyncio.to_thread(self.logs.close)
        if lost := self.logs.state().lost:
            _log.error("%d lines of the logs are lost: the disk did not take them", lost)

    def reload(self, config: Config) -> Reloaded:
        """The interfaces can change at run time, as far as there are spare sockets."""
        changed: list[str] = []
        restart: list[str] = []
        if config.table != self.config.table:
            restart.append("table")
        if msgspec.structs.replace(config.log, level=self.config.log.level) != self.config.log:
            restart.append("log")
        names = config.capture.interfaces
        if names != self.config.capture.interfaces:
            whole = self.taps.name(tuple(names), netlink.links())
            (changed if whole else restart).append("capture.interfaces")
        if msgspec.structs.replace(self.config.capture, interfaces=names) != config.capture:
            restart.append("capture")
        self.config = msgspec.structs.replace(
            self.config, capture=msgspec.structs.replace(self.config.capture, interfaces=names)
        )
        return Reloaded(changed=changed, needs_restart=restart)

    def reopen_logs(self) -> None:
        """After a rotation."""
        self.logs.reopen()

    def summary(self) -> str:
        """What is captured."""
        return f"capturing {', '.join(tap.name for tap in self.taps.taps) or 'nothing'}"

    def rows(self) -> list[StatsRow]:
        """The balance as of now."""
        return self.meter.rows(self.taps.taps, time.monotonic())

    def _put(self, log: str, lines: bytes) -> None:
        self.logs.put(log, lines)

    def _ended(self, tap: Tap, counts: list[Counts]) -> None:
        self.meter.end(tap, counts)

    def _kernel(self, interface: str) -> Kernel:
        return engine.new_kernel(
            checksums=engine.Checksums[self.config.capture.checksums.upper()],
            most=self.config.table.conversations,
            interface=interface,
            iso=self.config.log.time == "iso",
            interim=self.config.log.interim,
            tunnel_depth=self.config.capture.tunnel_depth,
        )

    def _writer(self) -> LogWriter:
        """Every log, in files; torn tails are cut."""
        folder, section = self.place.log_dir, self.config.log
        self.archive = archive = Archive(folder, section.rotation)
        names = (*engine.LOGS, stats.NAME)
        logs = {name: JsonLog(folder / f"{name}.log", section.stdout, name, archive) for name in names}
        for log in logs.values():
            log.cut_tail()
        return LogWriter(logs, lost=self.unrecorded.lost)

    def _write_stats(self) -> None:
        now = time.monotonic()
        rows = self.meter.rows(self.taps.taps, now)
        self.meter.interval(rows, now)
        for row in rows:
            self.logs.put(stats.NAME, stats.line(row, stamp(time.time_ns() // 1000, self.config.log.time)))

    async def _measure(self) -> None:
        """Packets a second, and stats.log."""
        before: dict[str, int] = {}
        written = at = time.monotonic()
        while True:
            await asyncio.sleep(1)
            now = time.monotonic()
            for tap in self.taps.taps:
                seen = sum(worker.received() for worker in tap.workers)
                tap.rate = max(0, seen - before.get(tap.name, seen)) / (now - at)
                before[tap.name] = seen
            at = now
            if now - written >= stats.EVERY:
                written = now
                self._observe()
                self._write_stats()

    async def _follow(self, changes: socket.socket) -> None:
        """Interfaces that go and come."""
        loop = asyncio.get_running_loop()
        with changes:
            while True:
                await loop.sock_recv(changes, netlink.READ_SIZE)
                self._observe()

    def _observe(self) -> None:
        try:
            self.taps.follow(netlink.links())
        except OSError as error:
            _log.warning("the interfaces cannot be listed: %s", error)


def _flags(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--read", metavar="FILE…", help="analyse captures and exit; see analyzerd --read --help")
    add("--inspect", metavar="FILE", help="show packets of a capture file as JSON and exit; as netctl inspect does")
    add("--interface", metavar="NAME", action="append", dest="capture.interfaces", help="capture this one; repeatable")
    add(
        "--promiscuous",
        action="store_const",
        const=True,
        dest="capture.promiscuous",
        help="take frames for other machines too",
    )
    add("--filter", metavar="EXPRESSION", dest="capture.filter", help="only packets that match, as pcap-filter(7)")
    add("--checksums", choices=("count", "ignore", "drop"), dest="capture.checksums", help="of wrong checksums")


def main(argv: list[str] | None = None) -> int:
    """Run the daemon; the exit status."""
    return program.run("analyzerd", Config, Analyzer, argv, extra_arguments=_flags)
