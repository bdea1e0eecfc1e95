"""One control client, seen from the daemon: reads requests, runs them, paces streams.

Requests run side by side, at most `OPEN_REQUESTS`. A stream without credit either waits, so that its source waits too,
or drops items and says how many. A client that does not take what it is sent is closed after `STALLED` seconds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from netcrier.control import framing, limits
from netcrier.control.failures import VersionMismatch
from netcrier.control.methods import HELLO, Stream
from netcrier.control.pacing import Pace
from netcrier.control.types.shared import (
    Closing,
    ErrorCode,
    Right,
    StreamCancel,
    StreamCredit,
    StreamEnd,
    StreamItem,
)
from netcrier.errors import (
    CapabilityError,
    ConfigError,
    DecodeError,
    NetcrierError,
    NotFoundError,
    StoreError,
    UsageError,
)

if TYPE_CHECKING:
    from netcrier.control.methods import AnyMethod
    from netcrier.control.rights import Caller

_log = logging.getLogger("netcrier.control")

READ_SIZE = 64 * 1024

CODE_OF: tuple[tuple[type[NetcrierError], ErrorCode], ...] = (
    (NotFoundError, ErrorCode.NOT_FOUND),
    (UsageError, ErrorCode.USAGE),
    (DecodeError, ErrorCode.USAGE),
    (VersionMismatch, ErrorCode.VERSION),
    (ConfigError, ErrorCode.CONFIG),
    (CapabilityError, ErrorCode.CAPABILITY),
    (StoreError, ErrorCode.STORE),
    (NetcrierError, ErrorCode.FAILED),
)
"""The first that matches decides."""

WHY_NOT = {
    Right.READ: "your user may not use this socket (group netcrier reads, netcrier-admin changes)",
    Right.CHANGE: "your user may not change anything here (group netcrier-admin)",
}
GROUPS = {Right.READ: "netcrier", Right.CHANGE: "netcrier-admin"}


class Connection:
    """One client."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        caller: Caller,
        methods: Mapping[str, AnyMethod],
        handlers: Mapping[str, Any],
        on_change: Callable[[Caller, str], None],
    ) -> None:
        self._reader, self._writer, self._caller = reader, writer, caller
        self._methods, self._handlers, self._on_change = methods, handlers, on_change
        size = limits.REQUEST_SIZE if Right.CHANGE in caller.may else limits.READER_REQUEST_SIZE
        self._framer = framing.Framer(size, limits.REQUEST_ITEMS)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._paces: dict[int, Pace] = {}
        self._notices = {"stream.credit": self._on_credit, "stream.cancel": self._on_cancel}

    async def serve(self) -> None:
        """Until the client leaves, breaks the protocol or is idle."""
        try:
            while data := await self._read():
                for message in self._framer.feed(data):
                    self._take(framing.decode(message))
                await self._drain()
        except DecodeError as error:
            self.say_goodbye(ErrorCode.MALFORMED, str(error), None)
        except (OSError, TimeoutError):
            self._writer.transport.abort()
        finally:
            tasks = list(self._tasks.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._writer.close()
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(limits.STALLED):
                    await self._writer.wait_closed()

    def abort(self) -> None:
        """Close at once."""
        self._writer.transport.abort()

    def say_goodbye(self, code: ErrorCode, message: str, hint: str | None) -> None:
        """Tell the client why it is closed, with a notification, and close."""
        self._writer.write(framing.encode_notification("closing", Closing(code.value, message, hint)))
        self._writer.close()

    async def _read(self) -> bytes:
        """The next bytes; empty at the end, and after `IDLE` seconds in which nothing was open."""
        while True:
            try:
                async with asyncio.timeout(limits.IDLE):
                    return await self._reader.read(READ_SIZE)
            except TimeoutError:
                if not self._tasks:
                    return b""

    def _take(self, message: framing.Message) -> None:
        if isinstance(message, framing.Request):
            self._begin(message)
        elif isinstance(message, framing.Notification):
            notice = self._notices.get(message.method)
            if notice is not None:  # clients of other software send their own
                notice(message)
        else:
            raise DecodeError("envelope", "a daemon asks nothing that could be answered")

    def _begin(self, request: framing.Request) -> None:
        if request.id in self._tasks:
            raise DecodeError("envelope", f"request id {request.id} is still open")
        if len(self._tasks) >= limits.OPEN_REQUESTS:
            self._refuse(request.id, ErrorCode.BUSY, f"{limits.OPEN_REQUESTS} requests are open", "await an answer")
            return
        method = self._methods.get(request.method)
        if isinstance(method, Stream):  # now: credit may come in the same packet
            self._paces[request.id] = Pace(method.lossless)
        task = asyncio.create_task(self._run(request, method))
        self._tasks[request.id] = task
        task.add_done_callback(lambda _: self._forget(request.id))

    def _forget(self, number: int) -> None:
        self._tasks.pop(number, None)
        self._paces.pop(number, None)

    async def _run(self, request: framing.Request, method: AnyMethod | None) -> None:
        try:
            if method is None:
                self._refuse(
                    request.id, ErrorCode.UNKNOWN_METHOD, f"no method {request.method!r}", "api.list names the methods"
                )
            elif method.right not in self._caller.may and method.name != HELLO.name:
                hint = f"sudo usermod -aG {GROUPS[method.right]} $USER, then log in again"
                self._refuse(request.id, ErrorCode.NOT_PERMITTED, WHY_NOT[method.right], hint)
            else:
                await self._answer(request, method)
        except NetcrierError as error:
            code = next(code for kind, code in CODE_OF if isinstance(error, kind))
            self._refuse(request.id, code, str(error), None)
        except (OSError, TimeoutError):
            self._writer.transport.abort()
        except Exception as error:  # noqa: BLE001 - a handler's fault ends its request, not the daemon
            _log.error("a fault in %s", request.method, exc_info=error)
            self._refuse(request.id, ErrorCode.FAILED, "a fault of the daemon", "its service log has the details")

    async def _answer(self, request: framing.Request, method: AnyMethod) -> None:
        params = framing.value_of(request.params, method.params)
        if method.right is Right.CHANGE:
            self._on_change(self._caller, method.name)
        handler = self._handlers[method.name]
        if isinstance(method, Stream):
            result = await self._stream(request.id, handler(params, self._caller))
        else:
            result = await handler(params, self._caller)
        self._writer.write(framing.encode_response(request.id, result))
        await self._drain()

    async def _stream(self, number: int, source: AsyncIterator[Any]) -> StreamEnd:
        pace = self._paces[number]
        pull = asyncio.create_task(self._pull(number, pace, source))
        cancelled = asyncio.create_task(pace.cancelled.wait())
        try:
            await asyncio.wait((pull, cancelled), return_when=asyncio.FIRST_COMPLETED)
            if pull.done():
                pull.result()
            return StreamEnd(items=pace.items, lost=pace.lost, cancelled=not pull.done())
        finally:
            for task in (pull, cancelled):
                task.cancel()
            await asyncio.gather(pull, cancelled, return_exceptions=True)

    async def _pull(self, number: int, pace: Pace, source: AsyncIterator[Any]) -> None:
        try:
            await pace.room()
            async for item in source:
                lost = pace.take()
                if lost is not None:
                    self._writer.write(framing.encode_notification("stream.item", StreamItem(number, item, lost)))
                    await self._drain()
                await pace.room()
        finally:
            close = getattr(source, "aclose", None)
            if close is not None:
                await close()

    def _on_credit(self, message: framing.Notification) -> None:
        notice = framing.value_of(message.params, StreamCredit)
        pace = self._paces.get(notice.id)
        if pace is not None and not pace.grant(notice.add):  # one for a stream that has ended is no fault
            raise DecodeError("value", f"credit is 1 to {limits.CREDIT} items")

    def _on_cancel(self, message: framing.Notification) -> None:
        pace = self._paces.get(framing.value_of(message.params, StreamCancel).id)
        if pace is not None:
            pace.cancelled.set()

    def _refuse(self, number: int, code: ErrorCode, message: str, hint: str | None) -> None:
        self._writer.write(framing.encode_error(number, code.value, message, hint))

    async def _drain(self) -> None:
        # Not wait_for: before Python 3.12 it swallows a cancellation that comes as the inner future is done.
        async with asyncio.timeout(limits.STALLED):
            await self._writer.drain()
