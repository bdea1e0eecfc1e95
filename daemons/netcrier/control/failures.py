"""What can go wrong between a client and a daemon, as types; each says what, why and what to do."""

from __future__ import annotations

from netcrier.control.types.shared import ErrorCode
from netcrier.errors import NetcrierError


class ControlError(NetcrierError):
    """A control call that failed. `hint` is what to do, or None."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class NotRunning(ControlError):
    """Nobody listens on the socket."""


class NotPermitted(ControlError):
    """The caller may not do this."""


class Impostor(NotPermitted):
    """The socket belongs to a user who may not run the daemon; nothing was sent."""


class VersionMismatch(ControlError):
    """The two sides speak no common version."""


class Deadline(ControlError):
    """The daemon did not answer in time."""


class Broken(ControlError):
    """The daemon closed the connection, or what it sent is no reply."""


class Refused(ControlError):
    """The daemon says no. `code` is one of ErrorCode's values, or a newer daemon's."""

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.code = code


class NotFound(Refused):
    """What the request names does not exist."""


def failure(code: str, message: str, hint: str | None) -> ControlError:
    """The type for an error reply."""
    if code == ErrorCode.NOT_PERMITTED.value:
        return NotPermitted(message, hint)
    if code == ErrorCode.VERSION.value:
        return VersionMismatch(message, hint)
    if code == ErrorCode.NOT_FOUND.value:
        return NotFound(code, message, hint)
    return Refused(code, message, hint)
