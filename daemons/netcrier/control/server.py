"""The daemons' end of the control socket: accepts, decides rights, checks requests, calls handlers.

Rights are decided once, at accept, from the peer's credentials. A request is checked against the method table before a
handler sees it. A client that breaks the protocol gets an error and is closed; the daemon goes on. What a method does
is the handlers' matter, how streams are paced is `connection`'s.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netcrier.control import limits, rights
from netcrier.control.connection import Connection
from netcrier.control.description import describe, names
from netcrier.control.failures import VersionMismatch
from netcrier.control.listening import Listening
from netcrier.control.rights import Caller, Credentials, Policy
from netcrier.control.types.shared import (
    PROTOCOL,
    DescribeRequest,
    ErrorCode,
    Hello,
    MethodDescription,
    MethodNames,
    Nothing,
    Right,
    Welcome,
)
from netcrier.errors import NotFoundError

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from netcrier.control.methods import AnyMethod

__all__ = ["About", "Caller", "ControlServer"]

_log = logging.getLogger("netcrier.control")


@dataclass(frozen=True, slots=True)
class About:
    """What a daemon says of itself in `hello`."""

    daemon: str
    instance: str | None
    version: str


class ControlServer:
    """One daemon's control socket."""

    def __init__(
        self,
        path: Path,
        methods: Mapping[str, AnyMethod],
        handlers: Mapping[str, Any],
        about: About,
        on_change: Callable[[Caller, str], None],
        credentials: Callable[[socket.socket], Credentials] = rights.credentials,
        policy: Policy | None = None,
    ) -> None:
        """`on_change` hears of every change before it is made. `credentials` and `policy` are for tests."""
        self._path, self._methods, self._about, self._on_change = path, methods, about, on_change
        self._handlers = {
            "hello": self._hello, "api.list": self._list, "api.describe": self._describe, **handlers,
        }  # fmt: skip
        self._credentials = credentials
        self._policy = policy
        self._open: dict[Connection, Caller] = {}
        self._listening: Listening | None = None
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. Raises ConfigError or OSError."""
        missing = [name for name in self._methods if name not in self._handlers]
        assert not missing, f"no handler for {missing}"
        if self._policy is None:
            self._policy = Policy(os.geteuid(), rights.group_id(rights.READERS), rights.group_id(rights.CHANGERS))
        self._listening = Listening(self._path)
        self._server = await asyncio.start_unix_server(self._accept, sock=self._listening.socket)

    async def close(self) -> None:
        """End every connection and free the path."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._open):
            connection.abort()
        if self._listening is not None:
            self._listening.close()
        self._server = self._listening = None

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self._policy is not None
        try:
            peer = self._credentials(writer.get_extra_info("socket"))
        except OSError:
            writer.close()
            return
        caller = Caller(peer.pid, peer.uid, self._policy.rights(peer))
        connection = Connection(reader, writer, caller, self._methods, self._handlers, self._on_change)
        if not self._has_room(caller):
            connection.say_goodbye(ErrorCode.BUSY, "too many control connections", "close one and try again")
            return
        self._open[connection] = caller
        try:
            await connection.serve()
        except asyncio.CancelledError:
            connection.abort()
        finally:
            del self._open[connection]

    def _has_room(self, caller: Caller) -> bool:
        clients = limits.CLIENTS if Right.CHANGE in caller.may else limits.CLIENTS - limits.RESERVED
        if len(self._open) >= clients:
            return False
        if Right.CHANGE in caller.may:
            return True
        return Counter(other.uid for other in self._open.values())[caller.uid] < limits.CLIENTS_PER_UID

    async def _hello(self, request: Hello, caller: Caller) -> Welcome:
        if request.protocol < 1:
            raise VersionMismatch(f"{self._about.daemon} speaks protocol 1 to {PROTOCOL}, not {request.protocol}")
        return Welcome(
            protocol=min(request.protocol, PROTOCOL),
            daemon=self._about.daemon,
            instance=self._about.instance,
            version=self._about.version,
            pid=os.getpid(),
            may=[right.value for right in (Right.READ, Right.CHANGE) if right in caller.may],
        )

    async def _list(self, _request: Nothing, _caller: Caller) -> MethodNames:
        return names(self._methods)

    async def _describe(self, request: DescribeRequest, _caller: Caller) -> MethodDescription:
        method = self._methods.get(request.method)
        if method is None:
            raise NotFoundError(f"{self._about.daemon} has no method {request.method!r}; netctl api lists them")
        return describe(method)
