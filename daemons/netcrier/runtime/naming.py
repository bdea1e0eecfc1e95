"""Messages as requests name them."""

from __future__ import annotations

from netcrier.errors import UsageError
from netcrier.ids import MessageId

_SAID_MOST = 40
"""Characters of a wrong name that the error repeats."""


def message_id(text: str) -> MessageId:
    """The message of this name; UsageError where it is none."""
    try:
        return MessageId.parse(text)
    except ValueError:
        said = text if len(text) <= _SAID_MOST else f"{text[:_SAID_MOST]}…"
        raise UsageError(f"{said!r} is not a message: one is named as 1284, or u7 for an urgent one") from None
