"""Where sockets, logs, state and configuration are, from the environment. No directory is made here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DAEMONS = ("masterd", "noded", "analyzerd")
"""In the order in which people read of them."""

INSTANCE = "NETCRIER_INSTANCE"
RUNTIME_DIR = "NETCRIER_RUNTIME_DIR"
LOG_DIR = "NETCRIER_LOG_DIR"
STATE_DIR = "NETCRIER_STATE_DIR"
CONFIG_DIR = "NETCRIER_CONFIG_DIR"

DEFAULTS = {
    RUNTIME_DIR: "/run/netcrier",
    LOG_DIR: "/var/log/netcrier",
    STATE_DIR: "/var/lib/netcrier",
    CONFIG_DIR: "/etc/netcrier",
}


def unit_name(daemon: str, instance: str | None = None) -> str:
    """`noded`, or `noded@node2` for an instance."""
    return f"{daemon}@{instance}" if instance else daemon


def runtime_dir(environ: Mapping[str, str]) -> Path:
    """The directory of the control sockets, shared by the daemons."""
    return _directory(RUNTIME_DIR, environ)


def config_dir(environ: Mapping[str, str]) -> Path:
    """The directory of the configuration files, shared by the daemons."""
    return _directory(CONFIG_DIR, environ)


def log_dir(daemon: str, instance: str | None, environ: Mapping[str, str]) -> Path:
    """The directory of one daemon's JSON logs."""
    return _directory(LOG_DIR, environ) / unit_name(daemon, instance)


def state_dir(daemon: str, instance: str | None, environ: Mapping[str, str]) -> Path:
    """The directory of one daemon's state."""
    return _directory(STATE_DIR, environ) / unit_name(daemon, instance)


def socket_path(daemon: str, instance: str | None, environ: Mapping[str, str]) -> Path:
    """The control socket of one daemon."""
    return runtime_dir(environ) / f"{unit_name(daemon, instance)}.sock"


def _directory(variable: str, environ: Mapping[str, str]) -> Path:
    return Path(environ.get(variable) or DEFAULTS[variable])
