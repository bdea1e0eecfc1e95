"""What masterd's control socket speaks."""

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


class BroadcastRequest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parameters of `broadcast`."""

    body: bytes
    """The message."""
    request: str
    """Unique text made by the client: a repetition within a day returns the first message and sends nothing."""
    lane: int = 0
    """0 the queue, 1 urgent."""
    to: str = ""
    """The nodes that it is for, as `role=web,site!=fra,os=~deb.*`; empty: all. None matches: `not-found`."""
    ttl: float | None = None
    """Seconds after which it is not delivered any more; None: without end."""


class Sent(Struct, frozen=True, kw_only=True):
    """The result of `broadcast`: the message is durable and its first datagram on its way."""

    id: str
    """As `1285` or `u7`."""
    term: int
    """The term of its number."""
    lane: int
    """0 the queue, 1 urgent."""
    sequence: int
    """Its number in the lane."""
    sent: float
    """Epoch seconds."""
    expected: int
    """Nodes that are to receive it."""
    to: str = ""
    """The selector."""
    expires: float | None = None
    """Epoch seconds after which it is not delivered any more; None: without end."""
    repeated: bool = False
    """Whether this request was already carried out and the reply names the first message."""


class ReceiptsRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of `receipts` and `receipts.follow`."""

    id: str
    """The message, as `1284`, `#1284`, `u7` or `3/1284`."""


class ReceiptRow(Struct, frozen=True, kw_only=True):
    """What is known of one message at one node."""

    node: str
    """The node's hex id."""
    name: str
    """Its host name."""
    state: str
    """`pending`, `offline` (pending, and the node is away), `duplicate` (pending, and two machines use its identity),
    `received`, `delivered`, `handled`, `refused`, `expired`, `missed`, `gap` or `revoked`."""
    after_ms: float | None = None
    """Milliseconds from the first datagram to the receipt; None without one."""
    last_ms: float | None = None
    """Milliseconds from the first datagram to the newest word about it; None without one."""
    code: int = 0
    """`handled`: the handler's exit status; `refused`: 1 the node's tags, 2 a selector that it cannot read."""
    reason: str = ""
    """`handled` with another code than 0: the code in words."""
    repeats: int = 0
    """How often the message was sent again for this node."""
    unexpected: bool = False
    """Whether the node has it and was not expected to: it counts neither as expected nor as received."""
    seen: float | None = None
    """Epoch seconds when the node was last heard."""


class Receipts(Struct, frozen=True, kw_only=True):
    """The result of `receipts`."""

    id: str
    """The message."""
    sent: float
    """Epoch seconds."""
    size: int
    """Bytes of the body."""
    expected: int
    """Nodes that were to receive it."""
    received: int
    """Receipts that are in."""
    to: str = ""
    """The selector."""
    expires: float | None = None
    """Epoch seconds after which it is not delivered any more; None: without end."""
    kept_until: float | None = None
    """Epoch seconds until when it is kept for nodes that are away, at most; None: no bound by time."""
    kept: bool = True
    """Whether the master still has the message; else only its receipts."""
    rows: list[ReceiptRow]
    """One for each expected node, and for those that have it all the same; by name."""


class NodeRow(Struct, frozen=True, kw_only=True):
    """One node of the roster."""

    node: str
    """Hex id."""
    name: str
    """Host name."""
    address: str
    """The address it was last heard from, or empty."""
    state: str
    """`here`, `away`, `waiting`, `revoked` or `duplicate`."""
    seen: float | None = None
    """Epoch seconds when it was last heard."""
    rtt_ms: float | None = None
    """Round trip in milliseconds; None before it was measured."""
    behind: int = 0
    """Messages sent and not yet acknowledged by it."""
    via: str = ""
    """The carrier that reaches it."""
    tags: dict[str, str] = {}
    """Its tags."""
    trust: str = ""
    """`token`, `first-use`, `approved`, `waiting` or `revoked`."""
    note: str = ""
    """What is to be known of the way to it, or empty."""
    gaps: int = 0
    """Messages that the master dropped before the node came back; of the newest 1000 dropped ones."""
    successor_of: str | None = None
    """Hex id of the node that had this name before: a new key under a known name."""


class NodesRequest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parameters of `nodes`."""

    to: str = ""
    """Only the nodes that this selector means; empty: all."""


class Nodes(Struct, frozen=True):
    """The result of `nodes`."""

    rows: list[NodeRow]
    """By name."""


class NodeRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of `node.explain`, `node.approve`, `node.revoke` and `node.forget`."""

    node: str
    """Host name, or the hex id or an unambiguous beginning of it."""


class SentMessagesRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of masterd's `messages`."""

    limit: int = 20
    """How many of the newest, 1 to 1000."""


class SentRow(Struct, frozen=True, kw_only=True):
    """One message that this master sent."""

    id: str
    """As `1284`."""
    sent: float
    """Epoch seconds."""
    size: int
    """Bytes of the body."""
    body: bytes
    """The body, at most its first 8 KiB."""
    expected: int
    """Nodes that were to receive it."""
    received: int
    """Receipts that are in."""


class SentMessages(Struct, frozen=True):
    """The result of masterd's `messages`."""

    rows: list[SentRow]
    """The oldest first."""


class TokenRequest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parameters of `token.create`."""

    ttl: float | None = None
    """Seconds for which it can be used; None: until it is replaced."""
    once: bool = False
    """Whether one node only may use it."""


class Token(Struct, frozen=True, kw_only=True):
    """The result of `token.create`."""

    token: str
    """The join token: a secret."""
    closed_now: bool
    """Whether this call closed the group, which was open until now."""
    expires: float | None = None
    """Epoch seconds, or None."""


class Revoked(Struct, frozen=True, kw_only=True):
    """The result of `node.revoke`: the node is out, and a group key that it has not holds."""

    epoch: int
    """The epoch of the new key."""
    void_token: str | None = None
    """The hex id of the token by which it had joined, where others could use it too: it is void now."""
    closed_now: bool = False
    """Whether this call closed the group, which was open until now: the node could have joined again by another key."""


class LackingNode(Struct, frozen=True, kw_only=True):
    """A node that has not shown yet that it has the group key."""

    node: str
    """Hex id."""
    name: str
    """Host name."""
    seen: float | None = None
    """Epoch seconds when it was last heard."""


class GroupKeyStatus(Struct, frozen=True, kw_only=True):
    """The result of `keys` and `keys.rotate`."""

    epoch: int
    """The epoch of the key that holds."""
    since: float | None
    """Epoch seconds since when; None for a key made by an older version."""
    sealed: int
    """Datagrams that it has sealed, at most."""
    next_epoch: int | None = None
    """The epoch that is announced."""
    next_in_s: float | None = None
    """Seconds until its key holds."""
    holding: int
    """Nodes that have shown that they have the key."""
    lacking: list[LackingNode]
    """Those that have not, by name; at most 100. Each gets it when it asks."""
    lacking_count: int
    """How many they are."""


class TokenNameRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of `token.revoke`."""

    token: str
    """The token's hex id, or the first digits of it, four at least."""


class TokenRow(Struct, frozen=True, kw_only=True):
    """A join token; its secret is not shown again."""

    id: str
    """Hex."""
    state: str
    """`usable`, `used` (up) or `expired`."""
    once: bool
    """Whether one node only may use it."""
    expires: float | None = None
    """Epoch seconds, or None."""
    used_by: str | None = None
    """The first node that used it: its name, or its hex id where it is no longer known."""


class Tokens(Struct, frozen=True):
    """The result of `token.list`."""

    rows: list[TokenRow]
    """Usable ones first."""
