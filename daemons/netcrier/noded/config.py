"""noded's configuration: /etc/netcrier/noded.toml. Everything has a default."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from netcrier.runtime.config import LogSection

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Name = Annotated[str, msgspec.Meta(max_length=63)]


class HandlersSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[handlers]`: bounds of what handlers.d/ runs."""

    seconds: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 30.0
    """How long one may run; then it is killed with all that it started."""
    output_kib: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 16
    """How much of its standard output is kept, KiB; an answer carries 16."""
    memory_mib: Annotated[int, msgspec.Meta(ge=16, le=65536)] = 512
    """Address space of each of its processes, MiB."""
    running: Annotated[int, msgspec.Meta(ge=1, le=256)] = 4
    """How many run at a time for questions; for messages one more of each lane."""
    waiting: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 64
    """How many questions wait for a place; one beyond is answered with `busy`."""
    idempotent: list[Name] = []
    """Names of message handlers that are begun again where noded ended while they ran: running twice does no harm."""
    first_use: bool = False
    """Whether handlers run for a master that no join token named: the first one that was heard."""


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every key of noded.toml."""

    port: Port = 12345
    """The UDP port on which the master's datagrams arrive."""
    name: Name = ""
    """The name to join under; empty: the host name."""
    identity: Literal["machine", "keep"] = "machine"
    """`machine`: a copy on another machine gets a new identity; `keep`: it stays the same, as containers need."""
    tags: dict[Name, Name] = {}
    """What the machine is, for people and later for selectors: role = "web"."""
    token_file: str = ""
    """A file with a join token, read at every start."""
    token: str = ""
    """The join token itself, for containers (NETCRIER_TOKEN); elsewhere use token_file."""
    handlers: HandlersSection = HandlersSection()
    """Programs that messages and questions start."""
    log: LogSection = LogSection()
    """How logs are written."""
