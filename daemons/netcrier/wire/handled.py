"""How a handler at a node ended, as one number in answers and receipts. Imports nothing: its runner is small."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Code(IntEnum):
    """0 to 255 is its exit status, 256 + n the signal that ended it. Append-only."""

    SIGNALLED = 256
    NO_HANDLER = 512
    TIMED_OUT = 513
    NOT_TRUSTED = 514
    """The node trusts its master by first use only, and runs nothing for it."""
    BUSY = 515
    UNSAFE = 516
    """The file is not root's, or others may write to it."""
    FAILED = 517
    """It could not be started."""
    UNCERTAIN = 518
    """The node ended while it ran; it is not run again."""


_WORDS: Final = {
    Code.NO_HANDLER: "no such handler",
    Code.TIMED_OUT: "timed out",
    Code.NOT_TRUSTED: "trusts its master by first use only",
    Code.BUSY: "too many handlers run",
    Code.UNSAFE: "the handler's file or folder is not root's alone",
    Code.FAILED: "the handler could not be started",
    Code.UNCERTAIN: "the node ended while it ran",
}


def words(code: int) -> str:
    """A code in words; empty for success."""
    if code in _WORDS:
        return _WORDS[Code(code)]
    if code >= Code.NO_HANDLER:
        return f"code {code}"
    if code >= Code.SIGNALLED:
        return f"signal {code - Code.SIGNALLED}"
    return f"exit {code}" if code else ""


def outcome_words(code: int) -> str:
    """What the code of a message that was handled says of its handlers; empty for success."""
    text = words(code)
    return f"handler {text}" if 0 < code < Code.NO_HANDLER or code == Code.TIMED_OUT else text
