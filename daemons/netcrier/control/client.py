"""The client's end of the control socket: blocking, bounded in time, for netctl and for tests.

Every call has a deadline, `timeout` seconds after it began; a stream's wait for its next item is bounded only if the
caller says so. No asyncio here: a client starts in milliseconds.
"""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING, Any, TypeVar, overload

import msgspec

from netcrier.control import framing, limits, peer
from netcrier.control.failures import (
    Broken,
    ControlError,
    Deadline,
    Impostor,
    NotPermitted,
    NotRunning,
    VersionMismatch,
    failure,
)
from netcrier.control.methods import HELLO, TABLES, Method, Stream
from netcrier.control.types.shared import (
    INITIAL_CREDIT,
    PROTOCOL,
    Closing,
    Hello,
    StreamCancel,
    StreamCredit,
    StreamEnd,
    StreamItem,
    Welcome,
)
from netcrier.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

P = TypeVar("P")
R = TypeVar("R")

READ_SIZE = 256 * 1024
GRANT = INITIAL_CREDIT // 2
"""Credit is renewed after so many items."""


class Client:
    """A connection to one daemon."""

    def __init__(self, path: Path, timeout: float = 10.0, name: str = "netctl", version: str = "") -> None:
        """Connects and greets. `timeout` is in seconds and bounds every call. Raises ControlError."""
        self._path, self._timeout = path, timeout
        self._framer = framing.Framer(limits.REPLY_SIZE, limits.REPLY_ITEMS)
        self._ready: list[bytes] = []
        self._number = 0
        self.end: StreamEnd | None = None
        """How the last stream ended."""
        self._socket = self._connect()
        try:
            self._check_listener()
            self.welcome: Welcome = self.call(HELLO, Hello(client=name, version=version, protocol=PROTOCOL))
            if self.welcome.protocol != PROTOCOL:
                raise VersionMismatch(f"the daemon speaks protocol {self.welcome.protocol}, this client {PROTOCOL}")
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def fileno(self) -> int:
        """For `select`."""
        return self._socket.fileno()

    @overload
    def call(self, method: Method[P, R], params: P | None = None) -> R: ...
    @overload
    def call(self, method: str, params: Any = None) -> Any: ...
    def call(self, method: Method[Any, Any] | str, params: Any = None) -> Any:
        """The method's result. Raises ControlError."""
        row = self._row(method) if isinstance(method, str) else method
        deadline = time.monotonic() + self._timeout
        number = self._send_request(row.name, params, deadline)
        while True:
            message = self._receive(deadline)
            if isinstance(message, framing.Response) and message.id == number:
                return self._result(message, row.result)

    def stream(
        self, method: Stream[P, R] | str, params: P | None = None, idle: float | None = None, until: float | None = None
    ) -> Iterator[R]:
        """The items as they come; afterwards `end` says how it ended.

        `idle` bounds the wait for each, in seconds; `until` the whole, as time.monotonic() tells it. An iterator that
        is closed early cancels the stream. Raises ControlError; Deadline at either bound.
        """
        row = self._row(method) if isinstance(method, str) else method
        number = self._send_request(row.name, params, time.monotonic() + self._timeout)
        self.end = None
        taken = 0
        try:
            while True:
                bounds = (until, None if idle is None else time.monotonic() + idle)
                message = self._receive(min((at for at in bounds if at is not None), default=None))
                if isinstance(message, framing.Response) and message.id == number:
                    self.end = self._result(message, StreamEnd)
                    return
                item = self._item(message, number, row.item)
                if item is not None:
                    yield item
                    taken += 1
                    if taken % GRANT == 0:
                        self._notify("stream.credit", StreamCredit(number, GRANT))
        finally:
            if self.end is None and self._socket.fileno() >= 0:
                self._cancel(number)

    def _row(self, name: str) -> Any:
        row = TABLES[self.welcome.daemon].get(name)
        if row is None:
            raise ControlError(f"{self.welcome.daemon} has no method {name!r}", "netctl api lists them")
        return row

    def _connect(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        sock.settimeout(self._timeout)
        try:
            sock.connect(str(self._path))
        except (FileNotFoundError, ConnectionRefusedError):
            sock.close()
            raise NotRunning(f"nothing answers on {self._path}") from None
        except PermissionError:
            sock.close()
            raise NotPermitted(f"{self._path}: permission denied") from None
        except (TimeoutError, BlockingIOError):
            sock.close()
            raise Deadline(f"{self._path}: no answer in {self._timeout:g} s") from None
        except OSError as error:
            sock.close()
            raise NotRunning(f"{self._path}: {error.strerror or error}") from None
        return sock

    def _check_listener(self) -> None:
        """Before anything is said: a token would be lost to an impostor."""
        try:
            uid = peer.listener_uid(self._socket)
            if not peer.impostor(self._path, uid, os.geteuid(), self._path.parent.stat().st_uid):
                return
        except OSError as error:
            raise Broken(f"{self._path}: {error.strerror or error}") from None
        name = peer.user_name(uid)
        who = f"user {name} (uid {uid})" if name else f"uid {uid}"
        users = ", ".join(("root", "you", f"the owner of {self._path.parent}", *peer.daemon_users(self._path)))
        raise Impostor(f"{self._path} belongs to {who}", f"nothing was sent: it has to belong to one of {users}")

    def _send_request(self, method: str, params: Any, deadline: float) -> int:
        self._number += 1
        self._send(framing.encode_request(self._number, method, params), deadline)
        return self._number

    def _notify(self, method: str, params: Any) -> None:
        self._send(framing.encode_notification(method, params), time.monotonic() + self._timeout)

    def _cancel(self, number: int) -> None:
        try:
            self._notify("stream.cancel", StreamCancel(number))
        except ControlError:
            self.close()

    def _send(self, data: bytes, deadline: float) -> None:
        try:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            self._socket.sendall(data)
        except TimeoutError:
            raise Deadline(f"{self._path}: no answer in {self._timeout:g} s") from None
        except OSError:
            return  # closed by the daemon: what it said before is still to be read

    def _receive(self, deadline: float | None) -> framing.Message:
        try:
            while not self._ready:
                self._socket.settimeout(None if deadline is None else max(0.001, deadline - time.monotonic()))
                data = self._socket.recv(READ_SIZE)
                if not data:
                    raise Broken("the daemon closed the connection", "its service log has the reason")
                self._ready = self._framer.feed(data)
            message = framing.decode(self._ready.pop(0))
            if isinstance(message, framing.Notification) and message.method == "closing":
                reason = framing.value_of(message.params, Closing)
                raise failure(reason.code, reason.message, reason.hint)
            return message
        except TimeoutError:
            raise Deadline(f"{self._path}: no answer in {self._timeout:g} s", "--timeout allows more") from None
        except OSError as error:
            raise Broken(f"{self._path}: {error.strerror or error}") from None
        except DecodeError as error:
            raise Broken(f"{self._path}: not a control socket of Netcrier ({error})") from None

    def _result(self, message: framing.Response, kind: Any) -> Any:
        if message.error is not None:
            raise failure(*message.error)
        try:
            return framing.value_of(message.result, kind)
        except DecodeError as error:
            raise Broken(f"{self._path}: a reply of another version ({error})") from None

    def _item(self, message: framing.Message, number: int, kind: Any) -> Any:
        if not isinstance(message, framing.Notification) or message.method != "stream.item":
            return None
        try:
            envelope = framing.value_of(message.params, StreamItem)
            if envelope.id != number:
                return None
            return msgspec.convert(envelope.item, kind)
        except (DecodeError, msgspec.ValidationError) as error:
            raise Broken(f"{self._path}: an item of another version ({error})") from None
