"""What netctl's exit status says, and which failure gives which."""

from __future__ import annotations

from enum import IntEnum

from netcrier.control.failures import (
    ControlError,
    Deadline,
    NotFound,
    NotPermitted,
    NotRunning,
    Refused,
    VersionMismatch,
)
from netcrier.control.types.shared import ErrorCode


class Exit(IntEnum):
    """The exit status. Append-only: scripts rely on it."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_RUNNING = 3
    NOT_PERMITTED = 4
    PARTIAL = 5
    """Some receipts are missing; they are listed."""
    NOTHING_MATCHED = 6
    DEADLINE = 7
    VERSION = 8
    INTERRUPTED = 130
    """Ctrl-C: what a shell reports of SIGINT."""
    PIPE_CLOSED = 141
    """The reader of our output has left: what a shell reports of SIGPIPE."""


_OF_TYPE: tuple[tuple[type[ControlError], Exit], ...] = (
    (NotRunning, Exit.NOT_RUNNING),
    (NotPermitted, Exit.NOT_PERMITTED),
    (VersionMismatch, Exit.VERSION),
    (Deadline, Exit.DEADLINE),
    (NotFound, Exit.NOTHING_MATCHED),
)

_OF_CODE = {
    ErrorCode.USAGE.value: Exit.USAGE,
    ErrorCode.UNKNOWN_METHOD.value: Exit.VERSION,
}


def exit_of(error: ControlError) -> Exit:
    """The exit status for a control call that failed."""
    for kind, code in _OF_TYPE:
        if isinstance(error, kind):
            return code
    return _OF_CODE.get(error.code, Exit.FAILED) if isinstance(error, Refused) else Exit.FAILED
