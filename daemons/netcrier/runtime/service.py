"""A running daemon: event loop, signals, watchdog, control server, around an App. Started by `program.run`."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from netcrier.control import paths
from netcrier.control.server import About, Caller, ControlServer
from netcrier.control.types.shared import ConfigShown, Done, Nothing, Reloaded
from netcrier.errors import ConfigError, NetcrierError
from netcrier.runtime.notify import notify, watchdog_interval
from netcrier.runtime.program import EX_OK, Place, Renewable, status_of
from netcrier.runtime.service_log import keys, service_log
from netcrier.runtime.version import VERSION

if TYPE_CHECKING:
    from netcrier.runtime.config import Loaded
    from netcrier.runtime.program import App, Build

STOP_LIMIT = 10.0
"""Seconds that an App has to stop."""

STATUS_EVERY = 10.0
"""Seconds between two status lines for the service manager."""

C = TypeVar("C", bound=msgspec.Struct)


class Service(Generic[C]):
    """One run of one daemon."""

    def __init__(
        self,
        place: Place,
        build: Build[C],
        loaded: Loaded[C],
        load: Callable[[], Loaded[C]],
        ready: Callable[[], None],
        warnings: list[str],
    ) -> None:
        self._place, self._build, self._loaded, self._load = place, build, loaded, load
        self._ready, self._warnings = ready, warnings
        self._log = service_log(place.daemon, self._level())

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT; the exit status."""
        try:
            asyncio.run(self._serve())
        except (NetcrierError, OSError) as error:
            self._log.error("%s", error)
            notify("STOPPING=1", f"STATUS={error}")
            return status_of(error)
        except Exception as error:  # noqa: BLE001 - the one top-level handler: said, then a failing status
            self._log.critical("a fault of the daemon", exc_info=error)
            return status_of(error)
        return EX_OK

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        for warning in self._warnings:
            self._log.warning("%s", warning)
        while await self._run(stopping):
            self._log.info("begins anew")
            self._ready = _told_already

    async def _run(self, stopping: asyncio.Event) -> bool:
        """One App, from its start to its stop; True where it is to be built anew."""
        loop = asyncio.get_running_loop()
        app = self._build(self._loaded.config, self._place)
        server = self._server(app)
        await app.start()
        try:
            await server.start()
            loop.add_signal_handler(signal.SIGHUP, self._on_hangup, app)
            pulse = asyncio.create_task(self._pulse(app))
            self._log.info("ready", extra=keys(pid=os.getpid(), version=VERSION))
            gc.collect()
            gc.freeze()  # what is there from the start stays: later collections need not look at it
            notify("READY=1", f"STATUS={app.summary()}")
            self._ready()
            await _either(stopping, app.again if isinstance(app, Renewable) else None)
            pulse.cancel()
            if stopping.is_set():
                notify("STOPPING=1")
                self._log.info("stopping")
        finally:
            await server.close()
            with suppress(TimeoutError):
                await asyncio.wait_for(app.stop(), STOP_LIMIT)
        return not stopping.is_set()

    def _server(self, app: App[C]) -> ControlServer:
        place = self._place
        handlers: Mapping[str, Any] = {
            "logs.reopen": self._answer_reopen(app),
            "reload": self._answer_reload(app),
            "config.show": self._answer_show,
            **app.handlers,
        }
        return ControlServer(
            place.runtime_dir / f"{paths.unit_name(place.daemon, place.instance)}.sock",
            app.methods,
            handlers,
            About(place.daemon, place.instance, VERSION),
            self._on_change,
        )

    def _on_change(self, caller: Caller, method: str) -> None:
        self._log.info("changed by a caller", extra=keys(method=method, uid=caller.uid, caller_pid=caller.pid))

    def _answer_reopen(self, app: App[C]) -> Any:
        async def reopen(_request: Nothing, _caller: Caller) -> Done:
            app.reopen_logs()
            return Done()

        return reopen

    def _answer_reload(self, app: App[C]) -> Any:
        async def reload(_request: Nothing, _caller: Caller) -> Reloaded:
            return self._reload(app)

        return reload

    async def _answer_show(self, _request: Nothing, _caller: Caller) -> ConfigShown:
        return self._loaded.show()

    def _on_hangup(self, app: App[C]) -> None:
        try:
            self._reload(app)
        except ConfigError as error:
            self._log.error("%s; the configuration stays as it was", error)

    def _reload(self, app: App[C]) -> Reloaded:
        """The new configuration in force; ConfigError leaves the old one."""
        notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            fresh = self._load()
            result = app.reload(fresh.config)
            self._loaded = fresh
            service_log(self._place.daemon, self._level())
        finally:
            notify("READY=1")
        self._log.info(
            "configuration read again",
            extra=keys(changed=",".join(result.changed), needs_restart=",".join(result.needs_restart)),
        )
        return result

    def _level(self) -> str:
        section = getattr(self._loaded.config, "log", None)
        return getattr(section, "level", "info")

    async def _pulse(self, app: App[C]) -> None:
        """The sign of life; it comes from this loop, so a loop that hangs is noticed."""
        watchdog = watchdog_interval()
        said = 0.0
        while True:
            await asyncio.sleep(watchdog or STATUS_EVERY)
            if watchdog:
                notify("WATCHDOG=1")
            if time.monotonic() - said >= STATUS_EVERY:
                said = time.monotonic()
                notify(f"STATUS={app.summary()}")


def _told_already() -> None:
    """Who started the daemon has been told that it serves."""


async def _either(stopping: asyncio.Event, again: asyncio.Event | None) -> None:
    """Until one of them is set."""
    waits = [asyncio.ensure_future(event.wait()) for event in (stopping, again) if event is not None]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
