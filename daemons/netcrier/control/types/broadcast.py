"""What masterd's control socket speaks of messages: sending them, and the receipts of nodes."""

from __future__ import annotations

from msgspec import Struct


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
