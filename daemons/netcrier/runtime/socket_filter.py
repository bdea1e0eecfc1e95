"""Classic BPF on a socket (socket(7), SO_ATTACH_FILTER): what the kernel drops before it wakes this program."""

from __future__ import annotations

import ctypes
import socket
from struct import Struct
from typing import Final

from netcrier.ids import GroupId
from netcrier.wire.kinds import MAGIC, Kind

INSTRUCTION: Final = Struct("=HBBI")
"""sock_filter: code, where to go on if true and if false, operand; jumps count from the next one."""
_PROGRAM: Final = Struct("HxxxxxxP") if ctypes.sizeof(ctypes.c_void_p) == 8 else Struct("HxxP")
"""sock_fprog."""
_ATTACH_FILTER: Final = 26
_LOAD_4, _LOAD_2, _LOAD_1, _EQUAL = 0x20, 0x28, 0x30, 0x15
RETURN: Final = 0x06
"""As many bytes as the operand says."""
_ALL: Final = 0xFFFFFFFF
_BODY: Final = 8
"""A datagram begins with its UDP header."""


def attach(sock: socket.socket, program: bytes) -> None:
    """From now on the kernel keeps of each packet as many bytes as the program returns; of 0 nothing, and counts it
    among what the socket has dropped. A program before this one is replaced. Raises OSError."""
    code = ctypes.create_string_buffer(program, len(program))
    block = _PROGRAM.pack(len(program) // INSTRUCTION.size, ctypes.addressof(code))
    sock.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, block)


def for_group(group: GroupId | None) -> bytes:
    """For UDP: what is of this protocol, in any version, and of this group where there is one. The beacons of other
    groups pass, so that they are counted: they are few, and tell why a node does not hear its master."""
    magic, beacon = int.from_bytes(MAGIC, "big"), int(Kind.BEACON)
    lines: tuple[tuple[int, int, int, int], ...]
    if group is None:
        lines = ((_LOAD_2, 0, 0, _BODY), (_EQUAL, 0, 1, magic))
    else:
        first, second = (int.from_bytes(part, "big") for part in (group[:4], group[4:]))
        lines = (
            (_LOAD_2, 0, 0, _BODY), (_EQUAL, 0, 7, magic),
            (_LOAD_1, 0, 0, _BODY + 3), (_EQUAL, 4, 0, beacon),
            (_LOAD_4, 0, 0, _BODY + 4), (_EQUAL, 0, 3, first),
            (_LOAD_4, 0, 0, _BODY + 8), (_EQUAL, 0, 1, second),
        )  # fmt: skip
    return b"".join(INSTRUCTION.pack(*line) for line in (*lines, (RETURN, 0, 0, _ALL), (RETURN, 0, 0, 0)))
