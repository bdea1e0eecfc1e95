"""The join token: carried by people, so every slip is told apart from a token that is wrong."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from netcrier.errors import UsageError
from netcrier.wire.limits import NAME_MAX
from netcrier.wire.token import decode_token, encode_token

from tests import datagrams

TEXT = datagrams.token()


@pytest.mark.parametrize("text", [TEXT, f"  {TEXT}\n"])
def test_a_token_comes_back_also_with_space_around_it(text: str) -> None:
    assert decode_token(text) == datagrams.TOKEN


def test_a_token_with_the_longest_name_comes_back() -> None:
    token = replace(datagrams.TOKEN, group_name="g" * NAME_MAX)
    assert decode_token(encode_token(token)) == token


@pytest.mark.parametrize("text", ["", "hello", TEXT[1:], "netcrier2." + TEXT[10:], TEXT + "A" * 512])
def test_what_is_no_token_is_said_to_be_none(text: str) -> None:
    with pytest.raises(UsageError, match="not a join token"):
        decode_token(text)


@pytest.mark.parametrize(
    "text", [TEXT[:-1], TEXT[:-8], TEXT[:11], "netcrier1.", TEXT + "A", TEXT + "AAAA", TEXT[:20] + "é" + TEXT[21:]]
)
def test_a_cut_or_longer_token_is_mistyped(text: str) -> None:
    with pytest.raises(UsageError, match="incomplete or mistyped"):
        decode_token(text)


@pytest.mark.parametrize("at", range(10, len(TEXT), 7))
def test_one_wrong_letter_is_noticed(at: int) -> None:
    wrong = "A" if TEXT[at] != "A" else "B"
    with pytest.raises(UsageError, match="incomplete or mistyped"):
        decode_token(TEXT[:at] + wrong + TEXT[at + 1 :])
