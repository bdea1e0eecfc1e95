"""Messages as requests name them."""

from __future__ import annotations

from netcrier.errors import UsageError
from netcrier.ids import MessageId


def message_id(text: str) -> MessageId:
    """The message of this name; UsageError where it is none."""
    try:
        return MessageId.parse(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a message: one is named as 1284, or u7 for an urgent one") from None
