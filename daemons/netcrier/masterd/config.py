"""masterd's configuration: /etc/netcrier/masterd.toml. Everything has a default."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from netcrier.runtime.config import LogSection

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every key of masterd.toml."""

    group: Annotated[str, msgspec.Meta(min_length=1, max_length=63)] = "default"
    """The group's name, for people."""
    enrolment: Literal["first-use", "approve", "token"] = "first-use"
    """Who may join a new group. first-use: anyone, until the first token is made; approve: who has a token, the others
    wait for `netctl node approve`; token: who has one, nobody else. A closed group is never opened again by this."""
    interfaces: tuple[str, ...] = ()
    """Where to send: "eth0", or "eth1=broadcast+multicast6" with carriers of its own. Empty: every interface that is
    up, but the loopback and a bridge's ports."""
    carriers: tuple[Literal["broadcast", "multicast", "multicast6"], ...] = ()
    """What goes out on an interface that names no carriers. Empty: broadcast where it can, else multicast6."""
    nodes: tuple[str, ...] = ()
    """Hosts to send to one by one besides, as "host", "host:port" or "[IPv6]:port": for nodes behind a router."""
    port: Port = 12346
    """The UDP port on which nodes answer."""
    node_port: Port = 12345
    """The UDP port on which nodes listen."""
    keep_messages: Annotated[int, msgspec.Meta(ge=100, le=1_000_000)] = 10_000
    """Messages kept for nodes that are away; older ones are dropped, and are a gap to who lacks them."""
    keep_seconds: Annotated[int, msgspec.Meta(ge=0, le=3_153_600_000)] = 604_800
    """How long messages are kept, in seconds; 0: as long as the two other bounds allow."""
    keep_bytes: Annotated[int, msgspec.Meta(ge=0, le=1 << 60)] = 1_073_741_824
    """Bytes of messages that are kept; 0: as many as the two other bounds allow."""
    log: LogSection = LogSection()
    """How logs are written."""
