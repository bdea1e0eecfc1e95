"""What masterd's control socket says of the master itself."""

from __future__ import annotations

from msgspec import Struct


class NodeCounts(Struct, frozen=True, kw_only=True):
    """How many nodes are in which state."""

    known: int
    """Enrolled nodes, here or away."""
    here: int
    """Heard within three presence intervals."""
    away: int
    """Known and silent for longer."""
    waiting: int
    """Not yet approved."""
    duplicate: int
    """One identity used by two machines; not counted as known."""
    revoked: int = 0
    """Shut out."""


class LastMessage(Struct, frozen=True, kw_only=True):
    """The newest message of this master."""

    id: str
    """As `1284` or `u7`."""
    sent: float
    """Epoch seconds of the first datagram."""
    expected: int
    """Nodes that were to receive it."""
    received: int
    """Receipts that are in."""
    complete_ms: float | None = None
    """Milliseconds from the first datagram to the last receipt; None while some are missing."""


class AwayNode(Struct, frozen=True):
    """A node that is silent."""

    name: str
    """Its host name."""
    seen: float | None = None
    """Epoch seconds when it was last heard; None if not since this start."""


class Carrier(Struct, frozen=True, kw_only=True):
    """One way by which datagrams leave."""

    kind: str
    """`broadcast`, `multicast` or `unicast`."""
    interface: str
    """The interface, or empty where the routing table decides."""
    address: str
    """Where datagrams are sent, as `10.0.7.255:12345`."""


class SendRate(Struct, frozen=True, kw_only=True):
    """How fast messages of more than 1024 bytes are sent, and why."""

    mbit_s: float
    """Megabits a second, on the wire."""
    loss_percent: float | None = None
    """What the node at the 90th percentile lacked of the last such message; None: none was sent in this run."""


class MasterStatus(Struct, frozen=True, kw_only=True):
    """The result of masterd's `status`."""

    version: str
    """The daemon's version."""
    pid: int
    """The daemon's process id."""
    started: float
    """Epoch seconds."""
    group: str
    """The group's name."""
    group_id: str
    """Hex."""
    master: str
    """Hex id of the master's signing key."""
    open: bool
    """Whether nodes may join without a token: anyone on the LAN can then read."""
    enrolment: str = "first-use"
    """Who may join: `first-use` (anyone while the group is open), `approve` (without a token: wait) or `token` only."""
    epoch: int
    """The group key's epoch."""
    term: int
    """The term in which messages are numbered."""
    boot: int
    """This start's boot number."""
    nodes: NodeCounts
    """How many nodes there are."""
    last: LastMessage | None = None
    """The newest message, if there is one."""
    away: list[AwayNode]
    """Silent nodes, the longest silent first; at most 100."""
    carriers: list[Carrier]
    """The ways in use."""
    window_ms: float
    """The receipt window in force, milliseconds."""
    rate: SendRate
    """How fast messages of more than 1024 bytes are sent."""
    counters: dict[str, int]
    """Datagrams and refusals by reason."""
    warnings: list[str]
    """What the operator should know, one sentence each."""
    standing: str = "speaking"
    """`listening`, `speaking`, `standby` or `superseded`: of all masters of one identity one speaks."""
    standing_reason: str = ""
    """Why it does not speak, and what to do."""
    unknown: list[str] = []
    """Messages up to which nodes had more than the store, when the term began, as `1/1284`."""
    neighbours: int = 0
    """Masters of other groups that are heard on this network."""


class TakenOver(Struct, frozen=True, kw_only=True):
    """The result of `master.takeover`: the new term is on disk, and the daemon starts anew in it."""

    term: int
    """The new term; messages are numbered from 1 in it."""
