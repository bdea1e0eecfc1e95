"""sd_notify: tells the service manager how the daemon is. Without `$NOTIFY_SOCKET` nothing is sent."""

from __future__ import annotations

import os
import socket
from contextlib import suppress


def notify(*assignments: str) -> None:
    """Send `assignments` such as `READY=1` (sd_notify(3)). A manager that does not listen is no fault of ours."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.connect(address.replace("@", "\0", 1) if address[0] == "@" else address)
        sock.sendall("\n".join(assignments).encode())


def watchdog_interval() -> float | None:
    """Seconds between two signs of life: half of what the manager allows; None if it does not watch this process."""
    allowed = os.environ.get("WATCHDOG_USEC", "")
    watched = os.environ.get("WATCHDOG_PID")
    if not allowed.isdigit() or allowed == "0" or (watched is not None and watched != str(os.getpid())):
        return None
    return int(allowed) / 2e6
