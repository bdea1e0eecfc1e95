"""Names of messages: what is written is read again, and what no store could look for is no name."""

from __future__ import annotations

import pytest
from netcrier.errors import UsageError
from netcrier.ids import SEQUENCE_MOST, TERM_MOST, MessageId
from netcrier.runtime.naming import message_id


@pytest.mark.parametrize(
    "identity",
    [
        MessageId(1, 0, 1284),
        MessageId(1, 1, 7),
        MessageId(3, 0, 1284),
        MessageId(TERM_MOST, 1, SEQUENCE_MOST),
    ],
)
def test_what_is_written_is_read_again(identity: MessageId) -> None:
    assert MessageId.parse(str(identity)) == MessageId.parse(f"#{identity}") == identity


@pytest.mark.parametrize(
    "text",
    [
        "", "#", "u", "/", "1/", "/1", "##1", "0", "u0", "0/1", "-1", "+1", "1/-1", " 1", "1_000", "1.0", "0x10", "²",
        "٣", "1/2/3", "uu1", "1u", str(SEQUENCE_MOST + 1), f"u{1 << 64}", f"{TERM_MOST + 1}/1", "9" * 5000,
    ],
)  # fmt: skip
def test_what_no_message_is_named_is_the_callers_fault(text: str) -> None:
    with pytest.raises(UsageError, match="is not a message") as told:
        message_id(text)
    assert len(str(told.value)) < 200
