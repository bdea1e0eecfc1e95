"""masterd's configuration: /etc/netcrier/masterd.toml. Everything has a default."""

from __future__ import annotations

from typing import Annotated

import msgspec

from netcrier.runtime.config import LogSection

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every key of masterd.toml."""

    group: Annotated[str, msgspec.Meta(min_length=1, max_length=63)] = "default"
    """The group's name, for people."""
    interfaces: tuple[str, ...] = ()
    """Where to broadcast; empty: every interface that is up and can broadcast."""
    nodes: tuple[str, ...] = ()
    """Hosts to send to one by one besides, as "host" or "host:port": for nodes that no broadcast reaches."""
    port: Port = 12346
    """The UDP port on which nodes answer."""
    node_port: Port = 12345
    """The UDP port on which nodes listen."""
    keep_messages: Annotated[int, msgspec.Meta(ge=100, le=1_000_000)] = 10_000
    """Messages kept for nodes that are away; older ones are forgotten."""
    log: LogSection = LogSection()
    """How logs are written."""
