"""What the machines tell the shell, and the datagrams that they give it to send. Values only."""

from __future__ import annotations

from enum import Enum, auto

import msgspec

from netcrier.core.delivery import Receipt
from netcrier.core.outcomes import Untold
from netcrier.core.questions import Over, QuestionId, Reply
from netcrier.core.standing import StandingChanged
from netcrier.ids import GroupId, MessageId, NodeId
from netcrier.wire.heard import Entry
from netcrier.wire.hello import Welcome

Address = tuple[str, int]
"""Host and port. The host is an IPv4 or IPv6 address; `%` and an interface's index behind it where it holds on one link
alone (RFC 4007, section 11): fe80::1%3, ff15::1%3, 239.192.0.1%3."""


class Audience(Enum):
    """Whom a datagram is for, where it is not for one address."""

    ALL = auto()
    """Every node: by the shared carriers, and one by one to those that these do not reach."""
    SHARED = auto()
    """Whoever listens on a shared carrier (broadcast, multicast), also nodes that do not know the group yet."""
    SINGLE = auto()
    """The nodes that are served one by one."""
    MASTERS = auto()
    """Other masters, on the shared carriers."""


class Datagram(msgspec.Struct, frozen=True):
    """Bytes and where they go."""

    data: bytes
    to: Address | Audience


class Received(msgspec.Struct, frozen=True):
    """A datagram from the network: `now` in monotone seconds, `now_us` when it arrived, in microseconds since 1970."""

    data: bytes
    source: Address
    now: float
    now_us: int


class Pin(msgspec.Struct, frozen=True):
    """Whom a node trusts, and since when it does not take another. `token`: (id, secret) where it enrols with one."""

    group: GroupId
    signing_key: bytes
    agreement_key: bytes
    group_name: str
    trust: str
    token: tuple[bytes, bytes] | None = None


class Pinned(msgspec.Struct, frozen=True):
    """The node trusts the first master that it heard: to be kept on disk."""

    pin: Pin


class Enrolled(msgspec.Struct, frozen=True):
    """The master let the node in: keys, index and lane starts are to be kept on disk."""

    welcome: Welcome
    fresh: bool


class KeysRenewed(msgspec.Struct, frozen=True):
    """The node has other group keys, or another of them is the current one: to be kept on disk."""

    epoch: int


class MasterBooted(msgspec.Struct, frozen=True):
    """A newer (term, boot) of the master spoke: lower ones are refused from now on, also after a restart."""

    term: int
    boot: int


class CatchUpWanted(msgspec.Struct, frozen=True):
    """The node lags far: connect to `master` by TCP, say `ask`, and feed what comes; then `Listener.caught_up`."""

    master: Address
    ask: bytes


class Asked(msgspec.Struct, frozen=True):
    """The master asks: run the handler of that name, then `Listener.answer`."""

    question: QuestionId
    name: str
    body: bytes
    deadline: float


class Settled(msgspec.Struct, frozen=True):
    """The master has heard these outcomes, or there is no more room for them: they leave the journal."""

    outcomes: tuple[Untold, ...]


class LeftTold(msgspec.Struct, frozen=True):
    """The master has heard that all of a term that a lane has left is in the log: that leaves the journal."""

    term: int
    lane: int


class NodeRow(msgspec.Struct, frozen=True):
    """A node as the master keeps it on disk."""

    index: int
    id: NodeId
    public: bytes
    name: str
    machine: bytes
    tags: tuple[tuple[str, str], ...]
    trust: str
    approved: bool
    boot: int
    address: str
    seen_us: int
    starts: tuple[tuple[int, int, int], ...]
    token: bytes = b""
    """The id of the join token that let it in."""
    port: int = 12345
    """Where it was last heard from, beside `address`."""
    single_us: int = 0
    """Since when it is served one by one, as the shared carriers do not reach it; 0: they do."""
    joined_us: int = 0
    """When it was first let in."""

    def start_of(self, term: int, lane: int) -> int:
        """The number behind which the node began this lane without a journal; 0 where it began with the term."""
        return next((start for at, its, start in self.starts if (at, its) == (lane, term)), 0)


class Enrolling(msgspec.Struct, frozen=True):
    """A node may join: commit the row (and the token's use), then `Speaker.admit` sends the welcome."""

    row: NodeRow
    token: bytes | None
    welcome: Datagram


class Waiting(msgspec.Struct, frozen=True):
    """A first-use node asks to join a closed group: commit the row; nothing is answered."""

    row: NodeRow


class NodeChanged(msgspec.Struct, frozen=True):
    """A node's boot number or address changed: to be kept on disk."""

    row: NodeRow


class ReceiptsIn(msgspec.Struct, frozen=True):
    """New receipts, to be committed. `heard`: the report to acknowledge then, because it tells of single messages."""

    receipts: tuple[Receipt, ...]
    heard: Entry | None = None


class Completed(msgspec.Struct, frozen=True):
    """Nothing is outstanding: `received` of the expected nodes have the message, the others never will.

    `after` is seconds from sending to the newest receipt.
    """

    message: MessageId
    expected: int
    after: float
    received: int


class KeysDue(msgspec.Struct, frozen=True):
    """The group's keys change: commit what `Speaker.keys_due` gives, then `Speaker.take_keys`."""


NodeEvent = Pinned | Enrolled | MasterBooted | CatchUpWanted | KeysRenewed | Asked | Settled | LeftTold
MasterEvent = Enrolling | Waiting | NodeChanged | ReceiptsIn | Completed | KeysDue | Reply | Over | StandingChanged
