from __future__ import annotations

import pytest
from netcrier_ctl import units

NOW = 1_800_000_000.0
MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5m", 300),
        ("5min", 300),
        ("1.5h", 5400),
        ("200ms", 0.2),
        ("30", 30),
        ("2d", 2 * DAY),
        ("1 h", HOUR),
        ("1w", 7 * DAY),
    ],
)
def test_durations_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert units.seconds_of(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "m", "5 parsecs", "-1s", "0", "nan", "inf", "1e99", "5M", "1h30"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        units.seconds_of(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (3 * DAY + 4 * HOUR + 59, "3 d 4 h"),
        (DAY, "1 d"),
        (725, "12 min 5 s"),
        (42.9, "42 s"),
        (0, "0 s"),
        (-5, "0 s"),
        (HOUR + 1, "1 h"),
    ],
)
def test_span_has_two_units(seconds: float, text: str) -> None:
    assert units.span(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(12, "12 s"), (150, "2 min"), (2 * HOUR, "2 h"), (3 * DAY, "3 d"), (-1, "0 s")]
)
def test_age_has_one_unit(seconds: float, text: str) -> None:
    assert units.age(seconds) == text


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize(
    ("silent", "text"),
    [(12, "12 s"), (2 * HOUR, "2 h"), (3 * DAY, "since Tuesday"), (30 * DAY, "since 2026-12-16")],
)
def test_long_silence_is_named_by_its_day(silent: float, text: str) -> None:
    assert units.since(NOW - silent, NOW) == text


def test_never_heard_is_said() -> None:
    assert units.since(None, NOW) == "not heard since the start"


@pytest.mark.usefixtures("host")
def test_clock_leaves_out_the_date_of_today() -> None:
    assert units.clock(NOW - 10, NOW) == "07:59:50"
    assert units.clock(NOW - DAY, NOW) == "2027-01-14 08:00:00"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.31, "0.3 ms"),
        (9.94, "9.9 ms"),
        (9.96, "10 ms"),
        (47.2, "47 ms"),
        (1234, "1.2 s"),
        (61_000, "61 s"),
        (None, units.NONE),
    ],
)
def test_milliseconds_have_two_or_three_digits(value: float | None, text: str) -> None:
    assert units.milliseconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0004, "0.4 ms"), (12.41, "12.4 s"), (125.0, "2 min 5 s"), (None, units.NONE), (0.9999, "1.0 s")],
)
def test_duration_of_a_conversation(value: float | None, text: str) -> None:
    assert units.duration(value) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (4100, "4.1 kB"),
        (999_960, "1.0 MB"),
        (48_100_000, "48.1 MB"),
        (10**18, "1000.0 PB"),
        (None, units.NONE),
    ],
)
def test_sizes_are_decimal(count: int | None, text: str) -> None:
    assert units.size(count) == text
