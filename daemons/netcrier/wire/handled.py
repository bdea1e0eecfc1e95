"""How a handler at a node ended, as one number in answers and receipts. Imports nothing: its runner is small."""

from __future__ import annotations

from enum import IntEnum


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
