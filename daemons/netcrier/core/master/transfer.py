"""The master's side of messages in blocks: each is sent once to all, then repaired as nodes fetch what they lack.

Theory of operation
- `begin` puts a committed message into its lane's queue. One message of a lane is sent at a time, the urgent lane
  before the other; all of it, repairs too, takes its turn by the rate (rate.py).
- A FETCH is gathered for a few ms; then block by block `mending` (block_repair.py) decides, so that nodes which ask a
  little later are served together with the first.
- Until all has been sent once nothing is lost: fetches before that are not looked at.
- A busy master reads some fetches after it has sent what they ask for: those it does not answer again.
- Where datagrams are being lost, parity goes along with each block, and its BLOCK once more (provision.py). A node that
  has needed it says what it has lost, so that the rate follows what the path loses, not what is left to repair.
- A node that has had its share (shares.py) is not served until it has some again.
- Bodies come from the shelf and are dropped when they have been idle; a node that fetches later brings them back.

Left out: sealing and addresses (repair.py).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from netcrier.core.master.block_repair import Ask, Mending, mending, remaining, sent_for
from netcrier.core.master.cutting import Cut
from netcrier.core.master.deliveries import Deliveries
from netcrier.core.master.provision import Provision
from netcrier.core.master.rate import Rate
from netcrier.core.master.shares import Shares
from netcrier.core.master.stock import Shelf
from netcrier.core.pacing import GATHER_FETCHES
from netcrier.core.parity import Parity
from netcrier.errors import DecodeError
from netcrier.ids import LANES, URGENT_LANE, MessageId
from netcrier.wire.fetch import Fetch
from netcrier.wire.fragment import Fragment, encode_fragment
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import FRAGMENTS_MAX, PLACES_MAX, TRANSFERS_MAX

MEASURE_AFTER: Final = 0.2
"""Seconds from the end of a message to the judgement of its loss: the nodes have said by then what they lack."""
IDLE_AFTER: Final = 2.0
"""Seconds without a fetch after which a body leaves the memory."""
_AROUND: Final = 72
"""Bytes around a plaintext on the wire: front, epoch, nonce and tag 44, UDP and IPv4 28."""


class Send(NamedTuple):
    """A plaintext to seal; `to` None: everyone, else a node index."""

    message: MessageId
    kind: Kind
    plaintext: bytes
    to: int | None


@dataclass(slots=True)
class _Job:
    """A message in memory. `first`: what is left of sending it once."""

    id: MessageId
    cut: Cut
    first: Iterator[Send] | None = None
    idle_at: float = 0.0
    gather_at: float | None = None
    asks: dict[int, dict[int, Ask]] = field(default_factory=dict)
    repairs: deque[Send] = field(default_factory=deque)
    parity: dict[int, int] = field(default_factory=dict)
    mended: dict[int, tuple[Mending, int]] = field(default_factory=dict)
    """By block: what was sent last to mend it, and when the last of it left, in µs since 1970."""
    mending: int = 0
    """The block of which `repairs` are."""
    losses: dict[int, float] = field(default_factory=dict)
    """By node that has said so: the share of the fragments that it had not got when all had been sent once."""
    unable: set[int] = field(default_factory=set)
    """Nodes that cannot use parity."""
    measure_at: float | None = None

    def busy(self, now: float) -> bool:
        """Whether something of it can be sent."""
        return bool(self.first or self.repairs or (self.gather_at is not None and self.gather_at <= now))

    def tell(self, fetch: Fetch, index: int) -> None:
        """A node says what it has lost; DecodeError where the message has no such block."""
        if any(lack.block >= self.cut.blocks for lack in fetch.lacks):
            raise DecodeError("malformed", "a block that the message does not have")
        if self.first or self.measure_at is not None:
            lost = sum(lack.bitmap.bit_count() for lack in fetch.lacks)
            self.losses.setdefault(index, lost / self.cut.fragments)
            if not fetch.parity:
                self.unable.add(index)

    @property
    def rank(self) -> tuple[bool, int, int]:
        """The urgent lane first, then by number."""
        return (self.id.lane != URGENT_LANE, self.id.term, self.id.sequence)


class Transfers:
    """See the module."""

    def __init__(self, shelf: Shelf, deliveries: Deliveries, parity: Parity | None, refused: Counter[str]) -> None:
        self.rate = Rate()
        self.provision = Provision()
        self.shares = Shares(self.rate, refused)
        self.repaired = 0
        self.timer: float | None = None
        self._shelf, self._deliveries, self._parity = shelf, deliveries, parity
        self._jobs: dict[MessageId, _Job] = {}
        self._queues: dict[int, deque[MessageId]] = {lane: deque() for lane in LANES}

    def begin(self, message: MessageId, now: float) -> None:
        """Send a committed message, after those of its lane that wait."""
        self._queues[message.lane].append(message)
        self._arm(now)

    def coming(self, message: MessageId) -> bool:
        """Whether the message is still to be sent for the first time: it needs no repetition."""
        return message in self._queues[message.lane]

    def fetch(self, fetch: Fetch, index: int, now: float, at_us: int = 0) -> None:
        """A node has said at `at_us` what it lacks. DecodeError where that cannot be had; the node asks again."""
        self.shares.require(index, now)
        if self.coming(fetch.message):
            return
        wanted = [lack for lack in fetch.lacks if lack.need or lack.header]
        job = self._jobs.get(fetch.message)
        if not wanted:
            if job:
                job.tell(fetch, index)
            return
        if job is None:
            job = self._brought_back(fetch.message, now)
        if job.first:
            return
        job.tell(fetch, index)
        job.idle_at = now + IDLE_AFTER
        for lack in wanted:
            job.asks.setdefault(lack.block, {})[index] = Ask(lack, fetch.parity, at_us)
        if job.asks and job.gather_at is None:
            job.gather_at = now + GATHER_FETCHES
        self._arm(now)

    def due(self, now: float, now_us: int = 0) -> Iterator[Send]:
        """What may leave now."""
        for job in list(self._jobs.values()):
            if job.measure_at is not None and job.measure_at <= now:
                self._measure(job, now)
            if job.idle_at <= now and not job.busy(now) and job.measure_at is None and not job.asks:
                del self._jobs[job.id]
        while self.rate.allows(now) and (send := self._next(now, now_us)):
            self.rate.spend(len(send.plaintext) + _AROUND)
            yield send
        self._arm(now)

    # How it decides

    def _next(self, now: float, now_us: int) -> Send | None:
        """The next datagram of the first message that has one."""
        self._start_next(now)
        for job in sorted((job for job in self._jobs.values() if job.busy(now)), key=lambda job: job.rank):
            while not job.repairs and job.asks and job.gather_at is not None and job.gather_at <= now:
                self._mend(job, now)
            if job.repairs:
                job.idle_at = now + IDLE_AFTER
                job.mended[job.mending] = (job.mended[job.mending][0], now_us)
                return job.repairs.popleft()
            if job.first:
                send = next(job.first, None)
                if send:
                    return send
                job.first = None
                job.measure_at, job.idle_at = now + MEASURE_AFTER, now + IDLE_AFTER
                return self._next(now, now_us)
        return None

    def _start_next(self, now: float) -> None:
        """Let the head of each queue begin where its lane sends no other."""
        for lane, queue in self._queues.items():
            while queue and not any(job.first for job in self._jobs.values() if job.id.lane == lane):
                message = queue.popleft()
                body, plaintext = self._shelf.body(message), self._shelf.signed_message(message)
                if body is not None and plaintext is not None:
                    self._make_room()
                    job = _Job(message, Cut(body), idle_at=now + IDLE_AFTER)
                    job.first = self._once(job, plaintext)
                    self._jobs[message] = job

    def _once(self, job: _Job, plaintext: bytes) -> Iterator[Send]:
        """Everything, once, to all; the MESSAGE again behind it: by that a node knows that what lacks is lost."""
        yield Send(job.id, Kind.MESSAGE, plaintext, None)
        for number in range(job.cut.blocks):
            for kind, piece in job.cut.block_plaintexts(job.id, number):
                yield Send(job.id, kind, piece, None)
            along = self.provision.pieces(job.cut.count(number)) if self._parity else 0
            if along:
                yield Send(job.id, Kind.BLOCK, job.cut.block_plaintext(job.id, number), None)
                yield from self._parity_of(job, number, along, None)
        yield Send(job.id, Kind.MESSAGE, plaintext, None)

    def _mend(self, job: _Job, now: float) -> None:
        """Decide for one block that nodes lack parts of."""
        number = min(job.asks)
        asks = job.asks.pop(number)
        if not job.asks:
            job.gather_at = None
        if number in job.mended:  # what nodes said before they had the last repairs is answered in part
            left = {index: remaining(ask, *job.mended[number]) for index, ask in asks.items()}
            asks = {index: ask for index, ask in left.items() if ask}
        asks = {index: ask for index, ask in asks.items() if self.shares.may(index, now)}
        needed = mending(asks, parity=self._parity is not None, loss=self.provision.loss)
        if asks:
            job.mending, job.mended[number] = number, (needed, 0)
        for index, ask in asks.items():
            self.shares.charge(index, sent_for(ask, needed))
        sends: list[Send] = []
        if needed.header:
            sends.append(Send(job.id, Kind.BLOCK, job.cut.block_plaintext(job.id, number), needed.header_to))
        if needed.parity:
            sends += self._parity_of(job, number, needed.parity, needed.parity_to)
        for place, to in needed.fragments:
            if place < job.cut.count(number):
                sends.append(Send(job.id, Kind.FRAGMENT, job.cut.fragment_plaintext(job.id, number, place), to))
        self.repaired += len(sends)
        job.repairs.extend(sends)

    def _parity_of(self, job: _Job, number: int, pieces: int, to: int | None) -> list[Send]:
        """So many pieces of parity of this block."""
        assert self._parity
        places = [self._place(job, number) for _ in range(pieces)]
        encoded = self._parity.encoded(job.cut.fragments_in(number), places)
        return [
            Send(job.id, Kind.PARITY, encode_fragment(Fragment(job.id, number, place, piece)), to)
            for place, piece in zip(places, encoded, strict=True)
        ]

    @staticmethod
    def _place(job: _Job, number: int) -> int:
        """The next place for parity of this block: a node that got the last one needs another."""
        place = job.parity.get(number, FRAGMENTS_MAX)
        job.parity[number] = place + 1 if place + 1 < PLACES_MAX else FRAGMENTS_MAX
        return place

    def _brought_back(self, message: MessageId, now: float) -> _Job:
        """A message that nodes lack and that is no longer in memory."""
        if not self._make_room():
            raise DecodeError("too many repairs")
        body = self._shelf.body(message)
        if body is None:
            raise DecodeError("no longer kept")
        job = self._jobs[message] = _Job(message, Cut(body), idle_at=now + IDLE_AFTER)
        return job

    def _make_room(self) -> bool:
        """Drop the message that has been idle the longest where there are too many; False where none is idle."""
        if len(self._jobs) < TRANSFERS_MAX:
            return True
        idle = [job for job in self._jobs.values() if not (job.first or job.repairs or job.asks)]
        if not idle:
            return False
        del self._jobs[min(idle, key=lambda job: job.idle_at).id]
        return True

    def _measure(self, job: _Job, now: float) -> None:
        """Judge the loss from the nodes that have said anything: a receipt without a fetch lacked nothing."""
        job.measure_at = None
        delivery = self._deliveries.get(job.id)
        whole = set(delivery.states) - delivery.outstanding if delivery else set()
        if not (whole or job.losses) and job.idle_at > now:
            job.measure_at = now + MEASURE_AFTER
            return
        shares = dict.fromkeys(whole, 0.0) | job.losses
        self.rate.measured(shares.values())
        able = [share for index, share in shares.items() if index not in job.unable]
        self.provision.measured(able, job.cut.fragments)

    def _arm(self, now: float) -> None:
        waits = [self.rate.next] if any(self._queues.values()) else []
        for job in self._jobs.values():
            if job.busy(now):
                waits.append(self.rate.next)
            waits += [at for at in (job.gather_at, job.measure_at, job.idle_at) if at is not None and at > now]
        self.timer = min(waits, default=None)
