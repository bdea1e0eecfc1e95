"""Who is at the other end of a control socket, and what they may do.

The kernel says who called `connect`: SO_PEERCRED gives pid, uid and gid, SO_PEERGROUPS the supplementary groups. The
group `netcrier` reads, `netcrier-admin` changes; uid 0 and the daemon's own uid do both. The overflow ids stand for
whoever has no id in this user namespace, so they are nobody and get nothing.
"""

from __future__ import annotations

import errno
import grp
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netcrier.control.peer import OVERFLOW
from netcrier.control.types.shared import Right

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

READERS = "netcrier"
CHANGERS = "netcrier-admin"
SO_PEERGROUPS = 59
"""<asm-generic/socket.h>; without a name in Python."""

GROUPS_MAX = 65536
"""NGROUPS_MAX of Linux."""

NOTHING: frozenset[Right] = frozenset()
READ = frozenset({Right.READ})
EVERYTHING = frozenset({Right.READ, Right.CHANGE})


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the kernel says of a peer."""

    pid: int
    uid: int
    groups: frozenset[int]
    """Its gid and its supplementary groups."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Which ids have which rights."""

    own_uid: int
    """The daemon's."""
    readers: int | None
    """The group `netcrier`, where the system has it."""
    changers: int | None
    """The group `netcrier-admin`."""

    def rights(self, peer: Credentials) -> frozenset[Right]:
        """What `peer` may do."""
        if peer.uid == OVERFLOW:
            return NOTHING
        if peer.uid in (0, self.own_uid):
            return EVERYTHING
        groups = peer.groups - {OVERFLOW}
        if self.changers in groups:
            return EVERYTHING
        return READ if self.readers in groups else NOTHING


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request."""

    pid: int
    """In the daemon's pid namespace; 0 from outside it."""
    uid: int
    may: AbstractSet[Right]


def credentials(sock: socket.socket) -> Credentials:
    """Of a connected Unix-domain socket. Raises OSError."""
    pid, uid, gid = struct.unpack("iII", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    try:
        data = sock.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, 4 * 256)
    except OSError as error:
        if error.errno != errno.ERANGE:
            raise
        data = _many_groups(sock)
    groups = struct.unpack(f"{len(data) // 4}I", data)
    return Credentials(pid, uid, frozenset((gid, *groups)))


def _many_groups(sock: socket.socket) -> bytes:
    """SO_PEERGROUPS of a peer with more than 256 groups: Python's own getsockopt takes at most 1024 bytes."""
    import ctypes  # for this rare caller alone

    buffer = ctypes.create_string_buffer(4 * GROUPS_MAX)
    size = ctypes.c_uint32(len(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.getsockopt(sock.fileno(), socket.SOL_SOCKET, SO_PEERGROUPS, buffer, ctypes.byref(size)):
        raise OSError(ctypes.get_errno(), "SO_PEERGROUPS")
    return buffer.raw[: size.value]


def group_id(name: str) -> int | None:
    """The group's id, None where the system has no such group."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None
