"""Where one MessagePack value ends and the next begins, and what a MessagePack-RPC message is. Pure.

MessagePack-RPC has no length in front: the end of a message is where its outermost array is complete. `Framer` finds it
without building a value, so that size, depth and number of values are bounded before anything is allocated. Any bytes
give messages or DecodeError; after an error the stream cannot be trusted and the connection ends. Text is checked for
UTF-8 and types when the message is decoded. Extension types are not used and are refused.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import msgspec

from netcrier.control.limits import DEPTH
from netcrier.errors import DecodeError


class Kind(IntEnum):
    """The first element of a message."""

    REQUEST = 0
    RESPONSE = 1
    NOTIFICATION = 2


class Request(msgspec.Struct, frozen=True):
    """`[0, id, method, params]`."""

    id: int
    method: str
    params: msgspec.Raw
    """The parameter map, still encoded."""


class Response(msgspec.Struct, frozen=True):
    """`[1, id, error, result]`."""

    id: int
    error: tuple[str, str, str | None] | None
    """Code, message, hint."""
    result: msgspec.Raw
    """Still encoded."""


class Notification(msgspec.Struct, frozen=True):
    """`[2, method, params]`."""

    method: str
    params: msgspec.Raw
    """The parameter map, still encoded."""


Message = Request | Response | Notification

NOT_OURS = msgspec.Raw(b"\xc0")
"""In place of the parameters of a foreign notification with several: nothing of ours can be read from it."""

NO_PARAMS = msgspec.Raw(b"\x80")
LARGEST_ID = 2**32 - 1

_SIZES = {  # first byte: (bytes of the length field, bytes of the value beyond the length)
    0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0), 0xD9: (1, 0), 0xDA: (2, 0), 0xDB: (4, 0),
    0xCA: (0, 4), 0xCB: (0, 8), 0xCC: (0, 1), 0xCD: (0, 2), 0xCE: (0, 4), 0xCF: (0, 8),
    0xD0: (0, 1), 0xD1: (0, 2), 0xD2: (0, 4), 0xD3: (0, 8), 0xC0: (0, 0), 0xC2: (0, 0), 0xC3: (0, 0),
}  # fmt: skip
_COUNTS = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}  # (bytes of the count, values each)


class Framer:
    """Cuts a stream of bytes into encoded messages."""

    def __init__(self, size: int, items: int, depth: int = DEPTH) -> None:
        self._size, self._items, self._depth = size, items, depth
        self._buffer = bytearray()
        self._restart()

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are complete now. Raises DecodeError with reason `size`, `depth`, `items` or `type`."""
        self._buffer += data
        found = []
        while self._scan():
            found.append(bytes(self._buffer[: self._at]))
            del self._buffer[: self._at]
            self._restart()
        if max(self._at, len(self._buffer)) > self._size:
            raise DecodeError("size", f"a message of more than {self._size} bytes")
        return found

    @property
    def pending(self) -> int:
        """Bytes of a message that is not complete."""
        return len(self._buffer)

    def _restart(self) -> None:
        self._at = 0
        self._seen = 0
        self._open = [1]  # values still to come, by level

    def _scan(self) -> bool:
        """Step over values while their heads are there; true at the end of a message."""
        buffer, end = self._buffer, len(self._buffer)
        while self._open:
            if self._at >= end:
                return False
            step = self._step(buffer, end)
            if step is None:
                return False
            length, children = step
            self._at += length
            if self._at > self._size:
                raise DecodeError("size", f"a message of more than {self._size} bytes")
            self._count(children)
        return self._at <= end

    def _count(self, children: int) -> None:
        self._seen += 1
        if self._seen + children > self._items:
            raise DecodeError("items", f"more than {self._items} values in a message")
        level = self._open
        level[-1] -= 1
        if children:
            if len(level) > self._depth:
                raise DecodeError("depth", f"more than {self._depth} nested values")
            level.append(children)
        while level and not level[-1]:
            level.pop()

    def _step(self, buffer: bytearray, end: int) -> tuple[int, int] | None:
        """Length of the value's own bytes and number of values inside it; None where its head is incomplete."""
        at = self._at
        first = buffer[at]
        if first < 0x80 or first >= 0xE0:
            return 1, 0
        if first < 0xC0:
            return _short(first)
        if first in _COUNTS:
            width, each = _COUNTS[first]
            if at + 1 + width > end:
                return None
            return 1 + width, each * int.from_bytes(buffer[at + 1 : at + 1 + width])
        if first not in _SIZES:
            raise DecodeError("type", f"byte {first:#x} is not allowed here")
        width, fixed = _SIZES[first]
        if at + 1 + width > end:
            return None
        return 1 + width + fixed + int.from_bytes(buffer[at + 1 : at + 1 + width]), 0


def _short(first: int) -> tuple[int, int]:
    """A fixmap, fixarray or fixstr."""
    if first < 0x90:
        return 1, 2 * (first & 0x0F)
    if first < 0xA0:
        return 1, first & 0x0F
    return 1 + (first & 0x1F), 0


_HEAD: msgspec.msgpack.Decoder[tuple[msgspec.Raw, ...]] = msgspec.msgpack.Decoder(tuple[msgspec.Raw, ...])
_REQUEST = msgspec.msgpack.Decoder(tuple[int, int, Any, tuple[msgspec.Raw, ...]])
_RESPONSE = msgspec.msgpack.Decoder(tuple[int, int, tuple[str, str, str | None] | None, msgspec.Raw])
_NOTIFICATION = msgspec.msgpack.Decoder(tuple[int, Any, tuple[msgspec.Raw, ...]])
_encode = msgspec.msgpack.Encoder().encode


def decode(data: bytes) -> Message:
    """One whole message. Raises DecodeError with reason `envelope`."""
    try:
        parts = _HEAD.decode(data)
        kind = bytes(parts[0]) if parts else b""
        if kind == b"\x00":
            _, number, method, params = _REQUEST.decode(data)
            return Request(_checked(number), _name(method), _only(params))
        if kind == b"\x01":
            _, number, error, result = _RESPONSE.decode(data)
            return Response(_checked(number), error, msgspec.Raw(bytes(result)))
        if kind == b"\x02":
            _, method, params = _NOTIFICATION.decode(data)
            return Notification(_name(method), _only(params) if len(params) < 2 else NOT_OURS)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError("envelope", str(error)) from None
    raise DecodeError("envelope", "the first element is 0, 1 or 2")


def _name(method: Any) -> str:
    """Text; clients that follow the first MessagePack write it as bin."""
    if isinstance(method, bytes):
        return method.decode()
    if not isinstance(method, str):
        raise DecodeError("envelope", "a method's name is text")
    return method


def _checked(number: int) -> int:
    if not 0 <= number <= LARGEST_ID:
        raise DecodeError("envelope", f"an id is 0 to {LARGEST_ID}")
    return number


def _only(params: tuple[msgspec.Raw, ...]) -> msgspec.Raw:
    if len(params) > 1:
        raise DecodeError("envelope", "params is an array of at most one map")
    return msgspec.Raw(bytes(params[0])) if params else NO_PARAMS


def encode_request(number: int, method: str, params: Any) -> bytes:
    """`params` is a struct, or None for none."""
    return _encode((Kind.REQUEST, number, method, () if params is None else (params,)))


def encode_response(number: int, result: Any) -> bytes:
    """A reply without an error."""
    return _encode((Kind.RESPONSE, number, None, result))


def encode_error(number: int, code: str, message: str, hint: str | None) -> bytes:
    """A reply that says what is wrong, and what to do about it."""
    return _encode((Kind.RESPONSE, number, (code, message, hint), None))


def encode_notification(method: str, params: Any) -> bytes:
    """`params` is a struct."""
    return _encode((Kind.NOTIFICATION, method, (params,)))


def value_of(raw: msgspec.Raw, kind: Any) -> Any:
    """Encoded parameters or results as `kind`. Raises DecodeError with reason `value`, whose text names the key."""
    try:
        return msgspec.msgpack.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError("value", str(error)) from None
