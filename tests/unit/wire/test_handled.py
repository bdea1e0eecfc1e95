"""A handler's end in words."""

from __future__ import annotations

import pytest
from netcrier.wire.handled import Code, outcome_words, words


@pytest.mark.parametrize(
    ("code", "said", "of_a_message"),
    [
        (0, "", ""),
        (3, "exit 3", "handler exit 3"),
        (256 + 9, "signal 9", "handler signal 9"),
        (Code.TIMED_OUT, "timed out", "handler timed out"),
        (Code.BUSY, "too many handlers run", "too many handlers run"),
        (Code.UNCERTAIN, "the node ended while it ran", "the node ended while it ran"),
        (999, "code 999", "code 999"),
    ],
)
def test_every_code_has_words(code: int, said: str, of_a_message: str) -> None:
    assert (words(code), outcome_words(code)) == (said, of_a_message)


def test_no_code_is_without_words() -> None:
    assert all(not words(code).startswith("code") for code in Code if code is not Code.SIGNALLED)
