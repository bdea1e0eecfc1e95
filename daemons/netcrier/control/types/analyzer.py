"""What analyzerd's control socket speaks."""

from __future__ import annotations

from msgspec import Struct


class Packets(Struct, frozen=True, kw_only=True):
    """The balance: received = analysed + filtered + the four that were dropped + undecodable.

    What a capture filter leaves out is counted by nobody and is not in `received`.
    """

    received: int
    """Packets that came, dropped ones included."""
    analysed: int
    """Packets that the engine took in, those that are not IP included."""
    filtered: int
    """Packets passed over on purpose: the outgoing copies on a loopback interface."""
    dropped_kernel: int
    """Packets that the card or the kernel dropped in front of the ring."""
    dropped_ring: int
    """Packets that found no room in the ring."""
    dropped_budget: int
    """Fragments of datagrams that were given up because too many are put together at a time."""
    dropped_disk: int
    """Packets of conversations whose record was lost: the disk was full or too slow."""
    undecodable: int
    """Packets cut short, or not what their headers claim."""


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
    """Packets that were dropped, wherever; `stats` says where."""
    undecodable: int
    """Packets cut short, or not what their headers claim."""
    packets_per_s: float
    """Over the last second."""
    present: bool = True
    """Whether the interface is there now; one that comes back is captured again."""
    workers: int = 1
    """Threads that share it."""


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
    """Interfaces that are not captured because another link shows what crosses them: its bridge, bond or parent."""
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


class StatsRow(Struct, frozen=True, kw_only=True):
    """One interface, or the daemon as a whole, over the last interval; as in stats.log."""

    interface: str
    """Its name; `*` for all together."""
    interval: float
    """Seconds that `delta` is of."""
    delta: Packets
    """Over the interval."""
    total: Packets
    """Since the start."""
    conversations: int
    """In the tables now."""
    conversations_most: int
    """The limit of the tables."""
    evicted: int
    """Conversations written before their time since the start, because a table was full."""
    blocks_waiting: int
    """Filled blocks of the rings that wait for the engine."""
    blocks: int
    """Blocks of the rings."""
    lag: float
    """Seconds that the engine is behind the wire."""
    log_queue: int | None = None
    """Bytes of lines that wait for the disk; this and what follows only of the daemon as a whole."""
    log_queue_most: int | None = None
    """Beyond so many, lines are lost."""
    log_lag: float | None = None
    """Seconds that the oldest of these lines has waited."""
    lines: int | None = None
    """Lines written since the start."""
    lines_lost: int | None = None
    """Lines lost since the start."""
    memory: int | None = None
    """Resident bytes of the daemon."""
    recent: int | None = None
    """Bytes of recent packets that are kept for `capture`."""
    given_up: dict[str, int] | None = None
    """What overload and budgets cost in detail since the start, in the order in which it is given up."""


class Stats(Struct, frozen=True):
    """The result of `stats`."""

    rows: list[StatsRow]
    """Each interface, then `*`."""


class CaptureRequest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parameters of `capture`."""

    last: float | None = None
    """Begin with the packets of so many past seconds, as far as they are kept; None: with the next that comes."""
    follow: bool = True
    """Go on with what comes; false: end with the packets that are there."""
    filter: str = ""
    """As pcap-filter(7); empty: every packet."""
    interface: str | None = None
    """Only this one."""
    snap: int = 0
    """Bytes of a packet that are sent; 0: all that was captured."""
    packets: int | None = None
    """End after so many."""


class CapturePart(Struct, frozen=True, kw_only=True):
    """An item of `capture`. All `data` in a row is a pcapng file."""

    data: bytes
    """Whole blocks of pcapng."""
    packets: int
    """Packets in it."""
    missed: int = 0
    """Blocks of packets, in front of these, that were gone before they could be sent."""


class FlowsRequest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parameters of `flows`."""

    limit: int = 100
    """How many at most, 1 to 10000: the newest, or the largest."""
    host: str | None = None
    """An address, or a network as 10.0.7.0/24, that either end is in."""
    orig: str | None = None
    """One that the originator is in."""
    resp: str | None = None
    """One that the responder is in."""
    port_low: int = 0
    """A port of either end is not below."""
    port_high: int = 65_535
    """Nor above."""
    proto: str | None = None
    """`tcp`, `udp` or `icmp`."""
    active: float | None = None
    """Seconds: those that had a packet since so long ago."""
    largest: bool = False
    """Whether those with most bytes are given, not the newest."""


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
    rtt: float | None = None
    """Seconds of TCP's handshake, from end to end."""
    retransmits_sent: int | None = None
    """Segments that the originator sent again; None: none."""
    retransmits_received: int | None = None
    """Segments that the responder sent again; None: none."""


class Flows(Struct, frozen=True):
    """The result of `flows`."""

    rows: list[FlowRow]
    """Newest first, or largest first."""
    total: int
    """Conversations in the tables that are asked for, listed or not."""
