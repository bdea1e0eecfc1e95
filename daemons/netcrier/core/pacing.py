"""When to speak: every delay and rate of the protocol as a pure function or a small meter. Seconds everywhere.

Sources: DESIGN's arithmetic in PROTOCOL.md ("Timing"); each constant says what it balances.
"""

from __future__ import annotations

from collections import deque
from hashlib import blake2b
from typing import Final

from netcrier.wire.limits import RENEWALS_PER_SECOND

RECEIPTS_PER_SECOND: Final = 20_000
"""What a master takes in without loss, at best; more nodes get a wider window."""

WINDOW_LEAST: Final = 0.002
BEACON_FIRST: Final = 0.010
BEACON_IDLE: Final = 1.0
GATHER: Final = 0.003
"""How long repair requests are gathered before an answer: long enough to meet others' requests for the same number."""
GATHER_FETCHES: Final = 0.010
"""The same for fetches: as long as the nodes spread theirs, so that one decision serves them all."""
GATHER_NEXT: Final = 0.005
"""Between rounds of repetition, so that repair fills at most about 120 Mbit/s."""
ASK_MOST: Final = 1.0
"""Between two solicitations of a node that is here and silent, at most; more where its answers need longer."""
SILENCES: Final = 3
"""A node is away after so many presence intervals without a word."""
TIMEOUT_LEAST: Final = 0.020
TIMEOUT_MOST: Final = 1.0
QUIET: Final = 0.060
"""After so long without a piece of a message in blocks a node fetches what lacks: more than a busy master pauses."""
QUIET_REPAIR: Final = 0.015
"""The same once all has been sent: repairs come in one go."""
FETCHING: Final = 0.1
"""After the last piece left, nodes are fetching what lacks and need no question for their receipt."""
REPORT_AGAIN: Final = 0.030
"""After the receipt of a message in blocks of which a node has lost pieces it is said again: sooner than the master
would ask. Where the receipts' window is wider, it asks instead: the nodes are many, and few receipts are lost."""
PAUSE_LEAST: Final = 0.003
PAUSE_MOST: Final = 0.020
PIECES_GATHERED: Final = 32
"""Pieces of a message that a node lets gather before it reads on: what the smallest receive buffers hold twice. Waking
for each would cost more than reading it."""
RETRY_FIRST: Final = 0.030
RETRY_MOST: Final = 1.0
HELLO_MOST: Final = 10.0
UNTOLD_FIRST: Final = 0.1
UNTOLD_MOST: Final = 10.0
CATCH_UP_FIRST: Final = 1.0
CATCH_UP_MOST: Final = 30.0
ANNOUNCED: Final = 10.0
"""Seconds from the announcement of a group key until it holds: its members ask for it meanwhile."""
ASKED_WITHIN: Final = 0.8
"""The share of that time over which they spread, so that a lost request can be repeated."""
OLD_EPOCH: Final = 600.0
"""Seconds for which a node opens repairs under the key before."""
_SAMPLES = 256


def earliest(*times: float | None) -> float | None:
    """The first of some times, None for those that are not set."""
    first = None
    for at in times:
        if at is not None and (first is None or at < first):
            first = at
    return first


def receipt_window(nodes: int, per_second: int = RECEIPTS_PER_SECOND) -> float:
    """Over how long `nodes` nodes spread their receipts, for a master that takes in so many a second."""
    return max(WINDOW_LEAST, nodes / per_second)


def receipt_slot(node: bytes, sequence: int, window: float) -> float:
    """When within the window this node answers this number: 0 <= slot < window."""
    point = blake2b(node + sequence.to_bytes(8, "big"), digest_size=4).digest()
    return int.from_bytes(point, "big") / 2**32 * window


def beacon_delay(sent: int) -> float:
    """Until the next beacon, `sent` beacons after a start: 10, 20, 40 … ms, at most the idle second."""
    return min(BEACON_FIRST * (1 << min(sent, 10)), BEACON_IDLE)


def presence_interval(nodes: int) -> float:
    """How often a node speaks at least."""
    return max(10.0, nodes / 200)


def request_delay(chance: float) -> float:
    """Before the first request for a gap: a reordered or repeated datagram can still fill it. `chance` in [0, 1)."""
    return 0.001 + 0.007 * chance


def retry_delay(attempts: int, chance: float) -> float:
    """After `attempts` requests with nothing heard in between."""
    return min(RETRY_FIRST * (1 << min(attempts, 10)), RETRY_MOST) * (0.75 + chance / 2)


def untold_delay(attempts: int, chance: float) -> float:
    """Before the next report of a node whose outcomes the master has not heard, `attempts` reports after the last."""
    return min(UNTOLD_FIRST * (1 << min(attempts, 10)), UNTOLD_MOST) * (0.75 + chance / 2)


def hello_delay(attempts: int, chance: float) -> float:
    """Before a hello: the first within 50 ms, then doubling to 10 s."""
    if not attempts:
        return 0.05 * chance
    return min(0.2 * (1 << min(attempts, 10)), HELLO_MOST) * (0.5 + chance)


def catch_up_splay(presence: float, chance: float) -> float:
    """Before the first connection for a backlog: up to 0.2 s, and 1 s in a group of 10,000."""
    return presence / 50 * chance


def catch_up_delay(failures: int, chance: float) -> float:
    """After so many failed connections in a row, at least one: 1 s, doubling to 30 s."""
    return min(CATCH_UP_FIRST * (1 << min(failures - 1, 10)), CATCH_UP_MOST) * (0.75 + chance / 2)


def few(nodes: int) -> int:
    """Up to how many of `nodes` a datagram goes to one by one: beyond, a broadcast costs everyone less.

    A broadcast wakes every node and is opened by each; on Wi-Fi it also takes the slowest rate.
    """
    return min(max(1, nodes // 4), 32)


def renewal_spread(window: float) -> float:
    """Over how long the nodes that lack a group key spread their requests; `window` is the receipt window, which tells
    how many nodes there are: 1,000 ask in a second."""
    return window * RECEIPTS_PER_SECOND / RENEWALS_PER_SECOND


def renewal_delay(attempts: int, chance: float) -> float:
    """After `attempts` requests for a group key without an answer: 0.4 s, doubling to 10 s."""
    return hello_delay(attempts, chance)


class DelayMeter:
    """Learns how late receipts come after their slot; `timeout` is twice the 95th percentile, within 20 ms and 1 s.

    Feed it only what tells the delay of one exchange: a receipt that had to be asked for may answer either (Karn).
    """

    def __init__(self) -> None:
        self._delays: deque[float] = deque(maxlen=_SAMPLES)
        self._timeout: float | None = TIMEOUT_LEAST * 2

    def observe(self, delay: float) -> None:
        """One receipt's delay."""
        self._delays.append(delay)
        self._timeout = None

    @property
    def timeout(self) -> float:
        """How long after the window a missing receipt is asked for."""
        if self._timeout is None:
            ordered = sorted(self._delays)
            self._timeout = min(max(2 * ordered[len(ordered) * 95 // 100], TIMEOUT_LEAST), TIMEOUT_MOST)
        return self._timeout


class Gathering:
    """How long a node pauses between two looks at its socket while pieces of messages flow."""

    def __init__(self) -> None:
        self._pieces = 0
        self._pause = PAUSE_LEAST

    def piece(self) -> None:
        """One has been read."""
        self._pieces += 1

    def pause(self) -> float:
        """Seconds until the next look, 0 where no piece has come since the last: the fewer came, the longer."""
        pieces, self._pieces = self._pieces, 0
        if not pieces:
            return 0.0
        self._pause = min(max(self._pause * PIECES_GATHERED / pieces, PAUSE_LEAST), PAUSE_MOST)
        return self._pause


class Budget:
    """A token bucket that holds one second's worth."""

    def __init__(self, per_second: float) -> None:
        self._rate = self._left = per_second
        self._at = 0.0

    def spend(self, now: float, many: int = 1) -> bool:
        """Whether so many more are within the budget at time `now`; else none of them is."""
        self._left = min(self._rate, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < many:
            return False
        self._left -= many
        return True
