"""REPORT: a node's receipts and its sign of life. REQUEST: the numbers that it lacks. Both sealed for the master alone.

REPORT   counter 8, beacon's counter 8 and µs held 4 (for the round trip; 0: none), kernel drops 4,
         lanes 1+n*(lane 1, term 4, received 8, delivered 8, chain 16, extras 1+n*(sequence 8, digest 16)),
         outcomes 1+n*(lane 1, sequence 8, outcome 1, code 2): what marks cannot say of single messages,
         and where handlers have ended for messages of earlier terms 1+n*(term 4, lane 1, sequence 8, code 2)
REQUEST  counter 8, term 4, lane 1, ranges 1+n*(first 8, count 2)
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import Final

import msgspec

from netcrier.errors import DecodeError
from netcrier.wire.codec import Reader, Writer, at_most
from netcrier.wire.envelope import DIGEST_SIZE, Digest
from netcrier.wire.limits import (
    EXTRAS_MAX,
    LANES_MAX,
    OUTCOMES_MAX,
    RANGES_MAX,
    REQUEST_MESSAGES_MAX,
    RESULTS_MAX,
)


class LaneReport(msgspec.Struct, frozen=True):
    """One lane at one node. `received`: journalled without a gap; `delivered`: in its log; `chain` binds `received`.

    `extras` are the messages in the journal beyond a gap, as (sequence, digest).
    """

    lane: int
    term: int
    received: int
    delivered: int
    chain: Digest
    extras: tuple[tuple[int, Digest], ...] = ()


class Told(IntEnum):
    """What a node tells of single messages; the numbers are those of delivery states. Append-only."""

    RECEIVED = 1
    HANDLED = 3
    REFUSED = 4
    MISSED = 6
    GAP = 7


_TOLD: Final = frozenset(map(int, Told))
_REPORT: Final = Struct(">QQIIB")
"""From the counter to the number of lanes."""
_LANE: Final = Struct(f">BIQQ{DIGEST_SIZE}sB")
"""From the lane to the number of extras."""
_EXTRA: Final = Struct(f">Q{DIGEST_SIZE}s")
_OUTCOME: Final = Struct(">BQBH")
_RESULT: Final = Struct(">IBQH")
"""Of an earlier term; it is HANDLED."""


class Outcome(msgspec.Struct, frozen=True):
    """What became of a message at the node.

    `code`: HANDLED the handler's exit status; REFUSED the reason (1 tags, 2 a selector that the node cannot read);
    MISSED, GAP how many numbers after this one share it; RECEIVED 0.
    """

    lane: int
    sequence: int
    told: Told
    code: int = 0
    earlier: int | None = None
    """The term of the message, where it is an earlier one than its lane's; it is HANDLED then."""


class Report(msgspec.Struct, frozen=True):
    """All lanes of a node. Outcomes of earlier terms stand behind the others."""

    counter: int
    lanes: tuple[LaneReport, ...]
    beacon_counter: int = 0
    held_us: int = 0
    drops: int = 0
    outcomes: tuple[Outcome, ...] = ()


class Request(msgspec.Struct, frozen=True):
    """What a node lacks of one lane, as (first, count) ranges."""

    counter: int
    term: int
    lane: int
    ranges: tuple[tuple[int, int], ...]


def encode_report(report: Report) -> bytes:
    """The plaintext to seal."""
    writer = Writer().fields(
        _REPORT, report.counter, report.beacon_counter, report.held_us, report.drops, len(report.lanes)
    )
    for lane in report.lanes:
        writer.fields(_LANE, lane.lane, lane.term, lane.received, lane.delivered, lane.chain, len(lane.extras))
        for sequence, digest in lane.extras:
            writer.fields(_EXTRA, sequence, digest)
    present = [outcome for outcome in report.outcomes if outcome.earlier is None]
    writer.uint(len(present), 1)
    for outcome in present:
        writer.fields(_OUTCOME, outcome.lane, outcome.sequence, outcome.told, outcome.code)
    if len(present) < len(report.outcomes):
        writer.uint(len(report.outcomes) - len(present), 1)
    for outcome in report.outcomes:
        if outcome.earlier is not None:
            assert outcome.told is Told.HANDLED
            writer.fields(_RESULT, outcome.earlier, outcome.lane, outcome.sequence, outcome.code)
    return bytes(writer)


def _read_outcome(reader: Reader) -> Outcome:
    lane, sequence, told, code = reader.fields(_OUTCOME)
    if told not in _TOLD:
        raise DecodeError("malformed", f"outcome {told}")
    return Outcome(lane, sequence, Told(told), code)


def _read_result(reader: Reader) -> Outcome:
    earlier, lane, sequence, code = reader.fields(_RESULT)
    return Outcome(lane, sequence, Told.HANDLED, code, earlier)


def _read_lane(reader: Reader) -> LaneReport:
    lane, term, received, delivered, chain, count = reader.fields(_LANE)
    extras: list[tuple[int, Digest]] = []
    for _ in range(at_most(count, EXTRAS_MAX)):
        sequence, digest = reader.fields(_EXTRA)
        extras.append((sequence, digest))
    return LaneReport(lane, term, received, delivered, chain, tuple(extras))


def decode_report(plaintext: bytes) -> Report:
    """The inverse of `encode_report`."""
    reader = Reader(plaintext)
    counter, beacon_counter, held_us, drops, count = reader.fields(_REPORT)
    lanes = tuple([_read_lane(reader) for _ in range(at_most(count, LANES_MAX))])
    outcomes = tuple([_read_outcome(reader) for _ in range(reader.count(OUTCOMES_MAX))])
    if reader.left > 1:
        outcomes += tuple([_read_result(reader) for _ in range(reader.count(RESULTS_MAX))])
    reader.end()
    return Report(counter, lanes, beacon_counter, held_us, drops, outcomes)


def encode_request(request: Request) -> bytes:
    """The plaintext to seal."""
    writer = Writer().uint(request.counter, 8).uint(request.term, 4).uint(request.lane, 1).uint(len(request.ranges), 1)
    for first, count in request.ranges:
        writer.uint(first, 8).uint(count, 2)
    return bytes(writer)


def decode_request(plaintext: bytes) -> Request:
    """The inverse of `encode_request`; asking for more than the limit is malformed."""
    reader = Reader(plaintext)
    counter, term, lane = reader.uint(8), reader.uint(4), reader.uint(1)
    ranges = tuple((reader.uint(8), reader.uint(2)) for _ in range(reader.count(RANGES_MAX)))
    reader.end()
    if sum(count for _, count in ranges) > REQUEST_MESSAGES_MAX:
        raise DecodeError("malformed", "asks for too much")
    return Request(counter, term, lane, ranges)
