"""What analyzerd's control socket speaks."""

from __future__ import annotations

from msgspec import Struct


class Captured(Struct, frozen=True, kw_only=True):
    """One interface that is captured. received = analysed + filtered + dropped + undecodable."""

    name: str
    """The interface's name."""
    received: int
    """Packets that the kernel saw for us."""
    analysed: int
    """Packets that the engine took in, those that are not IP included."""
    filtered: int
    """Packets passed over on purpose: the outgoing copies on a loopback interface."""
    dropped: int
    """Packets that the kernel could not hand over because the ring was full."""
    undecodable: int
    """Packets cut short, or not what their headers claim."""
    packets_per_s: float
    """Over the last second."""


class AnalyzerStatus(Struct, frozen=True, kw_only=True):
    """The result of analyzerd's `status`. The five totals balance as those of each interface do."""

    version: str
    """The daemon's version."""
    pid: int
    """The daemon's process id."""
    started: float
    """Epoch seconds."""
    interfaces: list[Captured]
    """What is captured."""
    left_out: list[str]
    """Interfaces that are not captured because the bridge they belong to is."""
    received: int
    """All interfaces together, as are the next four."""
    analysed: int
    """As in Captured."""
    filtered: int
    """As in Captured."""
    dropped: int
    """As in Captured."""
    undecodable: int
    """As in Captured."""
    packets_per_s: float
    """Over the last second."""
    conversations: int
    """Conversations in the tables now."""
    conversations_most: int
    """The limit of the tables together."""
    logged: int
    """Conn lines written since the start."""
    lost: int
    """Conn lines that were lost: no memory for them, or a full disk."""
    counters: dict[str, int]
    """The engine's other totals by name."""
    warnings: list[str]
    """What the operator should know, one sentence each."""


class FlowsRequest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parameters of `flows`."""

    limit: int = 100
    """How many at most, 1 to 10000."""


class FlowRow(Struct, frozen=True, kw_only=True):
    """A conversation that goes on."""

    uid: str
    """As its record will bear it."""
    start: float
    """Epoch seconds of its first packet."""
    duration: float
    """Seconds from the first packet to the last."""
    proto: str
    """`tcp`, `udp`, `icmp` or `unknown_transport`."""
    orig: str
    """The originator's address."""
    orig_port: int
    """Its port; of ICMP the type."""
    resp: str
    """The responder's address."""
    resp_port: int
    """Its port; of ICMP the counterpart's type, or the code."""
    service: str | None
    """What was recognised, if anything."""
    state: str
    """Zeek's conn_state."""
    history: str
    """Zeek's history letters."""
    sent: int
    """IP bytes from the originator."""
    received: int
    """IP bytes from the responder."""
    packets_sent: int
    """Packets from the originator."""
    packets_received: int
    """Packets from the responder."""


class Flows(Struct, frozen=True):
    """The result of `flows`."""

    rows: list[FlowRow]
    """Newest first."""
    total: int
    """Conversations in the tables, listed or not."""
