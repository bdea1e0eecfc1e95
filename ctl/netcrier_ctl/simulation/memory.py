"""Where state costs no disk: a directory on a file system that lives in memory, with room for what a plan writes."""

from __future__ import annotations

import os
from pathlib import Path

from netcrier.errors import CapabilityError

from netcrier_ctl.simulation.plan import Plan

JOURNAL = 8 << 20
"""Bytes that a daemon's store and its write-ahead log hold whatever is sent: SQLite's log restarts at 4 MiB."""

LINE = 1024
"""Bytes that one delivery costs beside its body, in journal and logs of both sides."""

CANDIDATES = ("/dev/shm", "/run/user/{uid}", "/tmp")  # noqa: S108 - a directory of our own is made below it
_KINDS = ("tmpfs", "ramfs")


def room_for(plan: Plan) -> int:
    """Bytes that the daemons of a plan may write: every body is in two places on each host."""
    return (plan.nodes + 1) * JOURNAL + plan.deliveries * (2 * plan.size + LINE)


def memory_place(plan: Plan) -> Path:
    """A writable directory in memory with enough room. Raises CapabilityError."""
    kinds = _mounts()
    wanted = room_for(plan)
    for candidate in CANDIDATES:
        path = Path(candidate.format(uid=os.getuid()))
        if kinds.get(str(path)) in _KINDS and os.access(path, os.W_OK):
            found = os.statvfs(path)
            if found.f_bavail * found.f_frsize >= wanted:
                return path
    raise CapabilityError(
        f"no memory-backed directory has {wanted >> 20} MiB free ({', '.join(CANDIDATES)});"
        " --state-dir names one on disk, or take fewer nodes"
    )


def _mounts() -> dict[str, str]:
    """File system types by mount point; the last mount on a point holds."""
    lines = Path("/proc/mounts").read_text().splitlines()
    return {line.split()[1]: line.split()[2] for line in lines}
