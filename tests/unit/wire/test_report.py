"""REPORT and REQUEST: limits, and that the fullest ones fit one datagram."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from netcrier.errors import DecodeError
from netcrier.wire.envelope import TAG_SIZE, digest
from netcrier.wire.header import UP_SIZE
from netcrier.wire.limits import (
    DATAGRAM_MAX,
    EXTRAS_MAX,
    LANES_MAX,
    OUTCOMES_MAX,
    RANGES_MAX,
    REQUEST_MESSAGES_MAX,
    RESULTS_MAX,
)
from netcrier.wire.report import (
    LaneReport,
    Outcome,
    Report,
    Told,
    decode_report,
    decode_request,
    encode_report,
    encode_request,
)

from tests import datagrams

SEALED = UP_SIZE + 12 + TAG_SIZE


def lane_with(extras: int) -> LaneReport:
    return LaneReport(0, 1, 5, 5, digest(b""), tuple((number + 7, digest(b"x")) for number in range(extras)))


def test_an_empty_report_is_a_sign_of_life() -> None:
    assert decode_report(encode_report(Report(1, ()))) == Report(1, ())


def test_a_lane_lists_24_messages_beyond_its_mark_and_not_25() -> None:
    report = Report(1, (lane_with(EXTRAS_MAX), lane_with(0), lane_with(0), lane_with(0)))
    assert decode_report(encode_report(report)) == report
    assert SEALED + len(encode_report(report)) <= DATAGRAM_MAX
    with pytest.raises(DecodeError, match="malformed"):
        decode_report(encode_report(Report(1, (lane_with(EXTRAS_MAX + 1),))))


def test_a_report_of_five_lanes_is_malformed() -> None:
    with pytest.raises(DecodeError, match="malformed"):
        decode_report(encode_report(Report(1, tuple(lane_with(0) for _ in range(LANES_MAX + 1)))))


def test_a_report_lists_32_outcomes_beside_all_else_and_not_33() -> None:
    outcomes = tuple(Outcome(1, number, Told.REFUSED, 1) for number in range(OUTCOMES_MAX + 1))
    lanes = (lane_with(EXTRAS_MAX), *(lane_with(0) for _ in range(LANES_MAX - 1)))
    full = Report(1, lanes, outcomes=outcomes[1:])
    assert decode_report(encode_report(full)) == full
    assert SEALED + len(encode_report(full)) <= DATAGRAM_MAX
    with pytest.raises(DecodeError, match="malformed"):
        decode_report(encode_report(replace(full, outcomes=outcomes)))


def test_a_report_lists_24_results_of_earlier_terms_beside_all_else_and_not_25() -> None:
    results = tuple(Outcome(1, number, Told.HANDLED, 3, 7) for number in range(RESULTS_MAX + 1))
    lanes = (lane_with(EXTRAS_MAX), *(lane_with(0) for _ in range(LANES_MAX - 1)))
    full = Report(1, lanes, outcomes=results[1:])
    assert decode_report(encode_report(full)) == full
    assert SEALED + len(encode_report(full)) <= DATAGRAM_MAX
    with pytest.raises(DecodeError, match="malformed"):
        decode_report(encode_report(replace(full, outcomes=results)))


@pytest.mark.parametrize("told", [0, 2, 5, 8, 255])
def test_an_outcome_that_no_node_tells_is_malformed(told: int) -> None:
    data = bytearray(encode_report(Report(1, (), outcomes=(Outcome(0, 1, Told.REFUSED),))))
    data[-3] = told
    with pytest.raises(DecodeError, match="malformed"):
        decode_report(bytes(data))


def test_a_report_that_says_it_has_results_of_earlier_terms_has_some() -> None:
    results = len(encode_report(datagrams.RESULTS)) - 15 * 2
    data = bytearray(encode_report(datagrams.RESULTS))
    data[results - 1] = 0
    with pytest.raises(DecodeError, match="trailing"):
        decode_report(bytes(data))
    for size in range(results + 1, len(data)):
        with pytest.raises(DecodeError, match="truncated"):
            decode_report(encode_report(datagrams.RESULTS)[:size])


@pytest.mark.parametrize("encoded", [encode_report(datagrams.REPORT), encode_request(datagrams.REQUEST)])
def test_a_cut_or_longer_plaintext_is_refused(encoded: bytes) -> None:
    decode = decode_report if encoded == encode_report(datagrams.REPORT) else decode_request
    for size in range(len(encoded)):
        with pytest.raises(DecodeError, match="truncated"):
            decode(encoded[:size])
    with pytest.raises(DecodeError, match="trailing"):
        decode(encoded + b"\0")


def test_a_request_names_48_ranges_and_not_49() -> None:
    ranges = tuple((2 * number + 1, 1) for number in range(RANGES_MAX + 1))
    full = replace(datagrams.REQUEST, ranges=ranges[1:])
    assert decode_request(encode_request(full)) == full
    assert SEALED + len(encode_request(full)) <= DATAGRAM_MAX
    with pytest.raises(DecodeError, match="malformed"):
        decode_request(encode_request(replace(datagrams.REQUEST, ranges=ranges)))


def test_a_request_asks_for_256_messages_and_not_257() -> None:
    most = replace(datagrams.REQUEST, ranges=((1, 200), (500, REQUEST_MESSAGES_MAX - 200)))
    assert decode_request(encode_request(most)) == most
    with pytest.raises(DecodeError, match="asks for too much"):
        decode_request(encode_request(replace(most, ranges=((1, 200), (500, REQUEST_MESSAGES_MAX - 199)))))
