"""Whose control socket it is: a user who takes a daemon's path first must not be mistaken for the daemon.

SO_PEERCRED tells a client who called `listen`. Trusted are root, the client's own user, the owner of the socket's
directory (who could put any socket there), and the users that the daemons run as. Left out: what a trusted user does.
"""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

from netcrier.control.paths import DAEMONS

if TYPE_CHECKING:
    from pathlib import Path

IMAGE_USER = "netcrier"
"""The daemons' user in the images."""

OVERFLOW = 65534
"""/proc/sys/kernel/overflowuid and overflowgid, where nobody changed them: whoever has no id in this user namespace."""

_UCRED_SIZE = 12


def listener_uid(sock: socket.socket) -> int:
    """Who listens at the other end of a connected Unix-domain socket. Raises OSError."""
    ucred = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED_SIZE)
    return int.from_bytes(ucred[4:8], sys.byteorder)  # pid, uid, gid


def impostor(path: Path, uid: int, own: int, owner: int) -> bool:
    """Whether `uid` may not run the daemon whose socket is at `path`.

    `own` is the caller's uid, `owner` that of the socket's directory.
    """
    if uid in (0, own) or (uid == owner and owner != OVERFLOW):
        return False
    return user_name(uid) not in daemon_users(path)


def daemon_users(path: Path) -> tuple[str, ...]:
    """The users that the daemon of this socket runs as: by its name, or any where the name is another."""
    name = path.name.removesuffix(".sock").partition("@")[0]
    daemons = (name,) if name in DAEMONS else DAEMONS
    return (*(f"netcrier-{daemon}" for daemon in daemons), IMAGE_USER)


def user_name(uid: int) -> str | None:
    """The user's name, None where the system has none for it."""
    import pwd  # only for a user that is not already known by number

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None
