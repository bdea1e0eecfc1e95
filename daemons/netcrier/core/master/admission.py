"""Who may join: the answer to a hello.

Rules
- An approved node gets the current key again whenever it asks. A revoked one gets nothing, whatever token it has.
- A join token admits (once or until it expires); an open group admits anyone on first use; a closed group lets a node
  without a token wait for approval, or (`tokens_only`) refuses it, and answers nothing, so a stranger learns nothing.
- A node without lanes starts before the oldest message that it owes a receipt for, else at the newest: it gets what it
  has not acknowledged, and its first mark claims nothing that it never had.
- Key agreements for hellos share a budget; waiting nodes have another.
"""

from __future__ import annotations

from collections.abc import Callable
from hmac import compare_digest

import msgspec
from msgspec.structs import replace

from netcrier.core.events import Address, Datagram, Enrolling, NodeRow, Waiting
from netcrier.core.master.keyring import GroupKeys, Keyring
from netcrier.core.master.outbox import OutLane
from netcrier.core.master.roster import Roster
from netcrier.core.pacing import Budget
from netcrier.errors import DecodeError
from netcrier.ids import GroupId, MessageId, NodeId
from netcrier.wire.envelope import NO_CHAIN, AgreementKey, Digest, Signer, node_id
from netcrier.wire.handshake import Answerer
from netcrier.wire.header import FRONT_SIZE
from netcrier.wire.hello import (
    TOKEN_ID_SIZE,
    Hello,
    LaneStart,
    Welcome,
    decode_hello,
    encode_welcome,
    enrolment_proof,
    welcome_front,
)
from netcrier.wire.limits import HELLO_SIZE, STRANGERS_PER_SECOND, WAITING_MAX, WAITING_PER_SECOND

_NO_TOKEN = bytes(TOKEN_ID_SIZE)


class Grant(msgspec.Struct, frozen=True):
    """A join token as the master keeps it. `expires_us` None: never; `once`: only for the first node that uses it."""

    id: bytes
    secret: bytes
    expires_us: int | None
    once: bool
    used_by: NodeId | None = None


class Admission:
    """Judges hellos. `grants` are the outstanding tokens by id."""

    def __init__(
        self,
        group: GroupId,
        group_name: str,
        signer: Signer,
        agreement: AgreementKey,
        keyring: Keyring,
        roster: Roster,
        entropy: Callable[[int], bytes],
        owed: Callable[[int, int], MessageId | None],
        lane_of: Callable[[int, int], OutLane | None],
    ) -> None:
        """`owed`: the oldest message of a lane that a node (index, lane) has not acknowledged; `lane_of`: the lane of
        a term (term, lane), None where there is none."""
        self._owed, self._lane_of = owed, lane_of
        self.tokens_only = False
        self.grants: dict[bytes, Grant] = {}
        self._group, self._group_name = group, group_name
        self._signer, self._agreement = signer, agreement
        self._keyring, self._roster = keyring, roster
        self._entropy = entropy
        self._strangers = Budget(STRANGERS_PER_SECOND)
        self._waiters = Budget(WAITING_PER_SECOND)
        self._unsettled: dict[NodeId, int] = {}
        self._using: dict[bytes, NodeId] = {}

    @property
    def keys(self) -> GroupKeys:
        """The group's keys in force."""
        return self._keyring.keys

    def settled(self, identity: NodeId) -> None:
        """The row of an Enrolling or Waiting event is committed, or the commit failed."""
        self._unsettled.pop(identity, None)
        self._using = {token: user for token, user in self._using.items() if user != identity}

    def hello(
        self,
        data: bytes,
        address: Address,
        now: float,
        now_us: int,
        numbers: tuple[int, int],
        lanes: tuple[OutLane, ...],
    ) -> Enrolling | Waiting:
        """What to commit; DecodeError where the hello is refused. `numbers`: the master's term and boot."""
        if len(data) != HELLO_SIZE:
            raise DecodeError("malformed", "hello of another size")
        if not self._strangers.spend(now):
            raise DecodeError("too many strangers")
        handshake = Answerer(data[:FRONT_SIZE], self._agreement, data[FRONT_SIZE:])
        hello = decode_hello(handshake.payload)
        if numbers[0] > 1 and hello.token not in self.grants:
            # The token may be of a store that this one has replaced: the node is judged as one without.
            hello = replace(hello, token=_NO_TOKEN)
        identity = node_id(handshake.node_public)
        if identity in self._unsettled:
            raise DecodeError("hello in progress")
        row = self._row(identity, handshake.node_public, hello, address, now_us, numbers[0], lanes)
        trust = self._judge(identity, hello, row, now_us)
        first = row.trust != "token" or not row.approved
        used = hello.token if trust == "token" and first else None
        row = replace(row, trust=trust, approved=trust != "waiting", token=used or row.token)
        if not row.approved:
            return self._wait(row, now)
        row = replace(row, joined_us=row.joined_us or now_us)
        self._unsettled[identity] = row.index
        starts = tuple(LaneStart(lane, term, start, self._chain(lane, term, start)) for lane, term, start in row.starts)
        welcome = Welcome(
            *numbers, row.index, int(self._roster.presence * 1000),
            self.keys.given, starts, self._group_name,
        )  # fmt: skip
        payload = encode_welcome(welcome, handshake.transcript, self._signer)
        answer = handshake.answer(AgreementKey(self._entropy(32)), payload)
        datagram = welcome_front(self._group, identity) + answer
        assert len(datagram) <= len(data), "an answer longer than the question"
        if used:
            self._using[used] = identity
        return Enrolling(row, used, Datagram(datagram, address))

    def _judge(self, identity: NodeId, hello: Hello, row: NodeRow, now_us: int) -> str:
        """The trust that the node gets; `waiting` for none yet. DecodeError for a token that does not hold."""
        if row.trust == "revoked":
            raise DecodeError("revoked node")
        if row.approved and row.trust == "token":
            return row.trust
        if hello.token != _NO_TOKEN:
            grant = self.grants.get(hello.token)
            if grant is None or not compare_digest(enrolment_proof(grant.secret, identity, hello.boot), hello.proof):
                raise DecodeError("bad token")
            if grant.expires_us is not None and now_us > grant.expires_us and grant.used_by != identity:
                raise DecodeError("token expired")
            if grant.once and (grant.used_by or self._using.get(grant.id)) not in (None, identity):
                raise DecodeError("token used up")
            return "token"
        if row.approved:
            return row.trust
        if not self.keys.open and self.tokens_only:
            raise DecodeError("no token")
        return "first-use" if self.keys.open else "waiting"

    def _wait(self, row: NodeRow, now: float) -> Waiting:
        if self._roster.get(row.id) is None and (self._roster.waiting() >= WAITING_MAX or not self._waiters.spend(now)):
            raise DecodeError("too many waiting")
        self._unsettled[row.id] = row.index
        return Waiting(row)

    def _row(
        self,
        identity: NodeId,
        public: bytes,
        hello: Hello,
        address: Address,
        now_us: int,
        term: int,
        lanes: tuple[OutLane, ...],
    ) -> NodeRow:
        """The known row with what the hello says anew, or a new one that starts at the newest message. A hello of an
        earlier boot may be a recording, and says nothing anew."""
        known = self._roster.get(identity)
        if known and hello.boot < known.row.boot:
            return known.row
        index = known.row.index if known else self._roster.next_index(self._unsettled.values())
        starts = tuple(self._start(index, lane, term) for lane in lanes)
        if known:
            has = {lane for lane, _, _ in hello.lanes}  # there it goes on, and its old start stands
            starts = tuple(start for start in starts if start[0] not in has)
            starts += tuple(start for start in known.row.starts if start[0] in has)
            return replace(known.row, name=hello.name, tags=hello.tags, boot=hello.boot, starts=starts)
        return NodeRow(
            index, identity, public, hello.name, hello.machine, hello.tags,
            "waiting", False, hello.boot, address[0], now_us, starts,
        )  # fmt: skip

    def _start(self, index: int, lane: OutLane, term: int) -> tuple[int, int, int]:
        owed = self._owed(index, lane.lane)
        return (lane.lane, owed.term, owed.sequence - 1) if owed else (lane.lane, term, lane.highest)

    def _chain(self, lane: int, term: int, start: int) -> Digest:
        out = self._lane_of(term, lane)
        return (out.chain_at(start) if out else None) or NO_CHAIN
