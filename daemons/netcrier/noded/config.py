"""noded's configuration: /etc/netcrier/noded.toml. Everything has a default."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from netcrier.runtime.config import LogSection

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Name = Annotated[str, msgspec.Meta(max_length=63)]


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
    log: LogSection = LogSection()
    """How logs are written."""
