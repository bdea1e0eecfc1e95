"""What noded's control socket speaks."""

from __future__ import annotations

from msgspec import Struct


class LastReceived(Struct, frozen=True):
    """The newest message of this node."""

    id: str
    """As `1284` or `u7`."""
    received: float
    """Epoch seconds."""


class HandlerFailure(Struct, frozen=True):
    """The newest handler of a message that did not end well."""

    handler: str
    """Its name."""
    message: str
    """As `1284` or `u7`."""
    code: int
    """Exit status, 256 + signal, or a code of PROTOCOL.md."""
    reason: str
    """The code in words."""
    at: float
    """Epoch seconds."""


class HandlersAtWork(Struct, frozen=True, kw_only=True):
    """What messages have started on this node since it runs."""

    running: int
    """Handlers of messages that run."""
    waiting: int
    """Messages whose handlers have not ended, without those."""
    failures: int
    """Runs that did not end with 0."""
    last_failure: HandlerFailure | None = None
    """The newest of them."""


class NodeStatus(Struct, frozen=True, kw_only=True):
    """The result of noded's `status`."""

    version: str
    """The daemon's version."""
    pid: int
    """The daemon's process id."""
    started: float
    """Epoch seconds."""
    node: str
    """Hex id of the node's key."""
    name: str
    """The node's host name as the master sees it."""
    state: str
    """`listening` (no master heard), `joining`, `waiting` (closed group, not approved) or `enrolled`."""
    group: str | None = None
    """The group's name."""
    master: str | None = None
    """Hex id of the master's signing key."""
    trust: str
    """`none`, `first-use` or `token`."""
    open: bool | None = None
    """Whether the group is open: anyone on the LAN can then read. None while unknown."""
    last: LastReceived | None = None
    """The newest message, if there is one."""
    received: int
    """Messages in the journal."""
    behind: int
    """Messages that the master has sent and this node has not yet."""
    handlers: HandlersAtWork = HandlersAtWork(running=0, waiting=0, failures=0)
    """Handlers that messages start."""
    counters: dict[str, int]
    """Datagrams and refusals by reason."""
    warnings: list[str]
    """What the operator should know, one sentence each."""


class ReceivedMessagesRequest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parameters of noded's `messages`."""

    limit: int = 20
    """How many, 1 to 1000: the newest, or with `after` the next."""
    after: int | None = None
    """Only those whose `n` is higher."""


class FollowRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of `messages.follow`."""

    after: int | None = None
    """Begin with the message after this `n`; None: with the next that comes."""


class ReceivedRow(Struct, frozen=True, kw_only=True):
    """One message in the node's journal."""

    n: int
    """Its place in the journal: rises by one."""
    id: str
    """As `1284`."""
    sent: float
    """Epoch seconds by the master's clock."""
    received: float
    """Epoch seconds by the node's clock."""
    size: int
    """Bytes of the body."""
    sha256: str
    """Hex, of the whole body."""
    body: bytes
    """The body; in a list at most its first 8 KiB."""
    trust: str
    """How the node came to trust the master: `token` or `first-use`."""
    event: str = "message"
    """`message`; `missed` (too late) or `gap` (no longer kept): the node is without it, and `body` is empty."""
    count: int = 1
    """How many messages this row is about, from `id` on: more than one for a run of `missed` or `gap`."""


class ReceivedMessages(Struct, frozen=True):
    """The result of noded's `messages`."""

    rows: list[ReceivedRow]
    """By `n`."""


class JoinRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of `join`."""

    token: str
    """The join token: a secret."""


class Joined(Struct, frozen=True, kw_only=True):
    """The result of `join`: the token is stored, the node now asks that master."""

    group: str
    """The group's name."""
    master: str
    """Hex id of the master's signing key."""
    changed: bool
    """Whether the node followed another master, or none, before."""
