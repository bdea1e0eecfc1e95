"""analyzerd's configuration, `analyzerd.toml`: a frozen value; every key has a default."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from netcrier.analyzerd.engine import TUNNEL_DEPTH, TUNNEL_DEPTH_MOST
from netcrier.runtime.config import LogSection


class CaptureSection(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[capture]`: where packets come from. Takes effect at start, but for `interfaces`."""

    interfaces: list[str] = field(default_factory=list)
    """Names; empty means all that are up, without loopback and without the ports of a captured bridge."""
    promiscuous: bool = False
    """Whether frames for other machines are taken too."""
    filter: str = ""
    """Only packets that match, as pcap-filter(7) says; needs libpcap. The others are counted by nobody."""
    snap: Annotated[int, Meta(ge=0, le=262_144)] = 0
    """Bytes of a packet that are kept; 0: all."""
    workers: Annotated[int, Meta(ge=1, le=64)] = 1
    """Threads that share each interface, a flow table each; the kernel keeps a conversation with one of them."""
    spare_sockets: Annotated[int, Meta(ge=0, le=64)] = 4
    """Sockets opened at start for interfaces that a reload names, or that appear: privileges are gone by then."""
    recent_mib: Annotated[int, Meta(ge=0, le=65_536)] = 32
    """MiB of the newest packets that are kept in memory for `netctl capture --last`; 0: none."""
    checksums: Literal["count", "ignore", "drop"] = "count"
    """Packets with a wrong checksum: mark and analyse, do not look, or mark and leave out."""
    tunnel_depth: Annotated[int, Meta(ge=0, le=TUNNEL_DEPTH_MOST)] = TUNNEL_DEPTH
    """Tunnels within one another that are followed; of a deeper one weird.log says so (Zeek's Tunnel::max_depth)."""
    block_kib: Annotated[int, Meta(ge=64, le=16384)] = 1024
    """Size of a block of the ring, KiB; a power of two."""
    blocks: Annotated[int, Meta(ge=2, le=4096)] = 32
    """Blocks of the ring."""
    timeout_ms: Annotated[int, Meta(ge=1, le=10000)] = 60
    """After how long a block that is not full is handed over, milliseconds."""


class TableSection(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[table]`: the flow table of each interface. Takes effect at start."""

    conversations: Annotated[int, Meta(ge=1000, le=100_000_000)] = 1_000_000
    """The most that are followed at a time, 320 bytes each; beyond it the least worth is written and goes."""


class AnalyzerLogSection(LogSection, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[log]`: as for every daemon, and the records of conversations that go on."""

    interim: Annotated[int, Meta(ge=0, le=86400)] = 60
    """Seconds after which, and from then on every so many, such a conversation has a partial record; 0: none."""


class Config(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All of analyzerd's configuration."""

    log: AnalyzerLogSection = AnalyzerLogSection()
    capture: CaptureSection = CaptureSection()
    table: TableSection = TableSection()
