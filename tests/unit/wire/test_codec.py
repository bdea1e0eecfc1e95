"""The bounded reader: nothing past the end, every misfit a DecodeError with its reason."""

from __future__ import annotations

import pytest
from netcrier.errors import DecodeError
from netcrier.wire.codec import Reader, Writer
from netcrier.wire.limits import NAME_MAX


def reason_of(error: pytest.ExceptionInfo[DecodeError]) -> str:
    return error.value.reason


def test_values_come_back_in_the_order_in_which_they_were_put() -> None:
    data = bytes(Writer().uint(7, 1).uint(0x0102, 2).put(b"abc", 3).counted(b"xy", 9, width=2).text("ü", 4).put(b"z"))
    assert data == b"\x07\x01\x02abc\x00\x02xy\x02\xc3\xbcz"
    reader = Reader(data)
    assert (reader.uint(1), reader.uint(2), reader.take(3)) == (7, 0x0102, b"abc")
    assert (reader.counted(9, width=2), reader.text(4), reader.rest()) == (b"xy", "ü", b"z")
    reader.end()


def test_nothing_is_read_past_the_end() -> None:
    reader = Reader(b"ab")
    with pytest.raises(DecodeError) as error:
        reader.uint(3)
    assert reason_of(error) == "truncated"
    assert reader.take(2) == b"ab"


def test_what_is_left_over_is_refused() -> None:
    with pytest.raises(DecodeError) as error:
        Reader(b"a").end()
    assert reason_of(error) == "trailing"


@pytest.mark.parametrize("data", [b"\x03abc", b"\x02a"])
def test_counted_bytes_are_within_their_limit_and_the_data(data: bytes) -> None:
    with pytest.raises(DecodeError) as error:
        Reader(data).counted(2)
    assert reason_of(error) == ("malformed" if data[0] == 3 else "truncated")


def test_a_count_beyond_its_limit_is_malformed() -> None:
    assert Reader(b"\x04").count(4) == 4
    with pytest.raises(DecodeError) as error:
        Reader(b"\x05").count(4)
    assert reason_of(error) == "malformed"


def test_a_name_of_63_bytes_is_read_and_one_of_64_is_not() -> None:
    assert Reader(bytes([NAME_MAX]) + b"n" * NAME_MAX).text(NAME_MAX) == "n" * 63
    with pytest.raises(DecodeError) as error:
        Reader(bytes([NAME_MAX + 1]) + b"n" * (NAME_MAX + 1)).text(NAME_MAX)
    assert reason_of(error) == "malformed"


def test_text_that_is_not_utf8_is_malformed() -> None:
    with pytest.raises(DecodeError) as error:
        Reader(b"\x01\xff").text(9)
    assert reason_of(error) == "malformed"


def test_a_value_that_does_not_fit_is_our_own_fault() -> None:
    with pytest.raises(AssertionError):
        Writer().put(b"abc", 2)
    with pytest.raises(AssertionError):
        Writer().text("abc", 2)
    with pytest.raises(OverflowError):
        Writer().uint(256, 1)
