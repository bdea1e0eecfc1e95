"""Whose fault it was, as the type of the exception.

A module converts the exceptions of the library it hides into one of these; nothing foreign passes its edge.
Our own faults are `assert`, not types.
"""

from __future__ import annotations


class NetcrierError(Exception):
    """What every error of this package is."""


class DecodeError(NetcrierError):
    """The peer's fault: bytes that are not what they claim to be. `reason` is a short fixed word for counters."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


class UsageError(NetcrierError):
    """The caller's fault: a request that cannot be carried out as it stands. Says what to do instead."""


class NotFoundError(UsageError):
    """The caller names something that does not exist."""


class ConfigError(NetcrierError):
    """The operator's fault: a file, key or value that the daemon cannot start with (exit 78)."""


class CapabilityError(NetcrierError):
    """The operator's fault: a right that the process lacks (exit 77). Says the command that grants it."""


class StoreError(NetcrierError):
    """The machine's fault: state that cannot be read or written (full disk, broken file)."""


class DamageError(StoreError):
    """State that is damaged or lost: it stays so until it is set aside."""


class EngineMissingError(ConfigError):
    """The analyzer was built without its compiled engine."""
