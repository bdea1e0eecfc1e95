"""Numbers, times and uids as the logs spell them, at the bounds of their digits."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netcrier.analyzerd.engine.kernel import base62_of, spelled

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
POWERS = [10**power for power in range(20)] + [2**power for power in range(64)]
BOUNDS = sorted({value + step for value in POWERS for step in (-1, 0, 1)} | {2**64 - 1})


@pytest.mark.parametrize("value", BOUNDS)
def test_a_number_at_a_bound_of_its_digits_is_whole(value: int) -> None:
    assert spelled(value) == str(value)


@given(st.integers(0, 2**64 - 1))
def test_any_number_is_whole(value: int) -> None:
    assert spelled(value) == str(value)


def test_a_number_beyond_64_bits_is_refused() -> None:
    for value in (-1, 2**64):
        with pytest.raises(OverflowError):
            spelled(value)


def seconds(nanoseconds: int) -> str:
    return str((Decimal(nanoseconds) / 10**9).quantize(Decimal("0.000001"), ROUND_HALF_UP))


@pytest.mark.parametrize("value", [*(bound for bound in BOUNDS if bound < 2**63 - 500), 999_999_499, 999_999_500])
def test_a_time_at_a_bound_is_rounded_to_six_places(value: int) -> None:
    assert spelled(value, nanoseconds=True) == seconds(value)


@given(st.integers(0, 2**63 - 501))
def test_any_time_is_rounded_to_six_places(value: int) -> None:
    assert spelled(value, nanoseconds=True) == seconds(value)


def in_base62(value: int) -> str:
    """Lowest digit first, no zeros above the highest."""
    letters = DIGITS[value % 62]
    while value := value // 62:
        letters += DIGITS[value % 62]
    return letters


def parts(value: int) -> tuple[int, int, int]:
    return value >> 64, value >> 32 & 0xFFFFFFFF, value & 0xFFFFFFFF


@pytest.mark.parametrize("power", range(17))
def test_a_uid_at_a_bound_of_its_letters_is_whole(power: int) -> None:
    for value in {62**power - 1, 62**power, 62**power + 1} | {2**32 - 1, 2**32, 2**64 - 1, 2**64, 2**96 - 1}:
        if value < 2**96:
            assert base62_of(*parts(value)) == in_base62(value)


@given(st.integers(0, 2**96 - 1))
def test_any_uid_is_whole(value: int) -> None:
    assert base62_of(*parts(value)) == in_base62(value)
