"""How netctl says that something went wrong: what, why, what to do; and with which exit status it ends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from netcrier.control.failures import Deadline, Impostor, NotPermitted, NotRunning, Refused, VersionMismatch
from netcrier.control.types.shared import ErrorCode
from netcrier.errors import NetcrierError

from netcrier_ctl.exit_codes import Exit, exit_of
from netcrier_ctl.render import printable

if TYPE_CHECKING:
    from netcrier.control.failures import ControlError

PREFIX = "netctl: "
SYSTEMD = Path("/run/systemd/system")
"""Exists where systemd runs (sd_booted(3))."""


class Failure(NetcrierError):
    """The end of a command: `code` is the exit status, `hint` what to do, or None."""

    def __init__(self, code: Exit, what: str, hint: str | None = None) -> None:
        super().__init__(what)
        self.code, self.hint = code, hint


def start_command(unit: str, systemd: Path = SYSTEMD) -> str:
    """What starts a daemon on this host."""
    if systemd.exists():
        return f"systemctl start {unit}"
    daemon, _, instance = unit.partition("@")
    return f"{daemon} --daemonize" + (f" --instance {instance}" if instance else "")


def failure_of(unit: str, error: ControlError) -> Failure:
    """A failed call to `unit`, such as `noded` or `noded@node2`, in words."""
    code, what, hint = exit_of(error), str(error), error.hint
    if isinstance(error, NotRunning):
        return Failure(code, f"{unit} is not running: {what}", hint or start_command(unit))
    if isinstance(error, Impostor):
        return Failure(code, f"this is not {unit}'s socket: {what}", hint)
    if isinstance(error, NotPermitted):
        return Failure(code, f"{unit} refused: {what}", hint or "sudo usermod -aG netcrier $USER, then log in again")
    if isinstance(error, Deadline):
        return Failure(code, f"{unit} does not answer: {what}", hint or "--timeout allows more")
    if isinstance(error, VersionMismatch):
        return Failure(code, f"{unit} speaks another version: {what}", hint or f"restart {unit} after an upgrade")
    if isinstance(error, Refused) and error.code == ErrorCode.UNKNOWN_METHOD.value:
        return Failure(code, f"{unit} is older than this netctl: {what}", f"restart {unit} after an upgrade")
    if isinstance(error, Refused) and code is Exit.FAILED:
        return Failure(code, f"{unit} refused: {what}", hint)
    return Failure(code, f"{unit}: {what}", hint)


def complaint(what: str, hint: str | None = None) -> str:
    """The lines for standard error: what and why, then what to do, indented."""
    end = "" if what.endswith((".", "!", "?")) else "."
    lines = [f"{PREFIX}{printable(what)}{end}"]
    if hint:
        lines += [f"{' ' * len(PREFIX)}{printable(line)}" for line in hint.splitlines()]
    return "\n".join(lines)
