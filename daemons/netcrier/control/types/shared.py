"""What every daemon's control socket speaks: greeting, error codes, description of itself, reload, streams."""

from __future__ import annotations

from enum import Enum
from typing import Any

from msgspec import Struct

PROTOCOL = 1
"""The version of the control protocol. Rises when a client of the version before could misread a reply."""

INITIAL_CREDIT = 64
"""Items that a stream may send before the client has granted any."""


class Right(Enum):
    """What a caller may do. `CHANGE` includes `READ`."""

    READ = "read"
    CHANGE = "change"


class ErrorCode(Enum):
    """The first element of an error reply `[code, message, hint]`. Append-only."""

    USAGE = "usage"
    """The parameters are not what the method takes, or the request cannot be carried out as it stands."""
    NOT_FOUND = "not-found"
    """What the request names does not exist."""
    NOT_PERMITTED = "not-permitted"
    """The caller may not do this."""
    UNKNOWN_METHOD = "unknown-method"
    """This daemon has no such method."""
    VERSION = "version"
    """The two sides have no version of the protocol in common."""
    MALFORMED = "malformed"
    """The bytes are not MessagePack-RPC, or beyond a limit. The daemon closes the connection."""
    BUSY = "busy"
    """A limit on clients or on open requests is reached."""
    CONFIG = "config"
    """A configuration that the daemon refuses; it keeps the one that it has."""
    CAPABILITY = "capability"
    """The daemon lacks a right that the request needs."""
    STORE = "store"
    """State that the daemon cannot read or write, as on a full disk."""
    FAILED = "failed"
    """A fault of the daemon; its service log has the details."""


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of a method that takes none."""


class Done(Struct, frozen=True):
    """The result of a method that has nothing to tell but success."""


class Hello(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The first call of a client. One that does not send it speaks protocol 1."""

    protocol: int = PROTOCOL
    """The highest version of the control protocol that the client speaks."""
    client: str = ""
    """The client's name, for the daemon's log."""
    version: str = ""
    """The client's own version."""


class Welcome(Struct, frozen=True, kw_only=True):
    """The daemon's answer to `hello`."""

    protocol: int
    """The version that both sides now speak."""
    daemon: str
    """`masterd`, `noded` or `analyzerd`."""
    instance: str | None = None
    """The instance's name where several of this daemon run on the host."""
    version: str
    """The daemon's version."""
    pid: int
    """The daemon's process id, in its own pid namespace."""
    may: list[str]
    """What this caller may do: `read`, `change`; empty if nothing."""


class MethodName(Struct, frozen=True, kw_only=True):
    """A row of `api.list`."""

    name: str
    """What to call."""
    right: str
    """`read` or `change`: what the caller needs."""
    stream: bool
    """Whether it answers with a stream of items before its result."""
    doc: str
    """One line on what it does."""


class MethodNames(Struct, frozen=True):
    """The result of `api.list`."""

    rows: list[MethodName]
    """Every method of this daemon, sorted by name."""


class DescribeRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of `api.describe`."""

    method: str
    """The method's name."""


class MethodDescription(Struct, frozen=True, kw_only=True):
    """The result of `api.describe`. Schemas are JSON Schema 2020-12; bytes are MessagePack bin on the socket."""

    name: str
    """What to call."""
    right: str
    """`read` or `change`."""
    doc: str
    """One line on what it does."""
    params: dict[str, Any]
    """Schema of the one parameter map."""
    result: dict[str, Any]
    """Schema of the result; of a stream, what it ends with."""
    item: dict[str, Any] | None = None
    """Schema of a stream's items."""
    lossless: bool = True
    """Whether a stream without credit waits (true), or drops items and says how many (false)."""


class Reloaded(Struct, frozen=True, kw_only=True):
    """The result of `reload`."""

    changed: list[str]
    """Keys whose new value is in force."""
    needs_restart: list[str]
    """Keys whose new value waits for a restart."""


class ConfigValue(Struct, frozen=True, kw_only=True):
    """One key of the configuration in force."""

    key: str
    """Dotted, as `log.time`."""
    value: str
    """The value as TOML text; a secret is shown as `"***"`."""
    origin: str
    """Where it comes from: `default`, `FILE:LINE`, `$NAME` or the flag."""


class ConfigShown(Struct, frozen=True):
    """The result of `config.show`."""

    values: list[ConfigValue]
    """Every key, sorted."""


class Closing(Struct, frozen=True):
    """The daemon's notification `closing`: the last that it sends before it ends the connection."""

    code: str
    """One of ErrorCode's values."""
    message: str
    """What is wrong."""
    hint: str | None = None
    """What to do about it."""


class StreamCredit(Struct, frozen=True, forbid_unknown_fields=True):
    """The client's notification `stream.credit`: it can take so many items more."""

    id: int
    """The stream's request id."""
    add: int
    """Items, 1 to 4096."""


class StreamCancel(Struct, frozen=True, forbid_unknown_fields=True):
    """The client's notification `stream.cancel`. The stream then ends with its result."""

    id: int
    """The stream's request id."""


class StreamItem(Struct, frozen=True, omit_defaults=True):
    """The daemon's notification `stream.item`."""

    id: int
    """The stream's request id."""
    item: Any
    """One item, as `api.describe` says."""
    lost: int = 0
    """Items dropped for want of credit just before this one."""


class StreamEnd(Struct, frozen=True, kw_only=True):
    """The result of every stream method, sent when the stream ends."""

    items: int
    """Items sent."""
    lost: int = 0
    """Items dropped for want of credit."""
    cancelled: bool = False
    """Whether the client asked for the end."""


class BodyRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of `message.body`."""

    id: str
    """As `1284`."""


class Body(Struct, frozen=True, kw_only=True):
    """The result of `message.body`."""

    id: str
    """As `1284`."""
    body: bytes
    """All of it."""
