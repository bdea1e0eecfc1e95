"""Giving up every capability for good (capabilities(7)), once the sockets that need one are open.

Linux keeps capabilities by thread: this is called before another thread is started.
"""

from __future__ import annotations

import ctypes
import os
from struct import Struct

_CAPABILITY_VERSION = 0x20080522
_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 24, 38, 47
_CLEAR_ALL = 4
_HIGHEST = 63
_HEADER = Struct("=Ii")
_SETS = bytes(24)
"""Effective, permitted and inheritable, twice 32 bits each: none."""


def drop_privileges() -> None:
    """No capability is left, none can be gained by executing a file. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in range(_HIGHEST + 1):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # needs CAP_SETPCAP, which root has; others have no more
    libc.prctl(_PR_CAP_AMBIENT, _CLEAR_ALL, 0, 0, 0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.capset(_HEADER.pack(_CAPABILITY_VERSION, 0), _SETS):
        number = ctypes.get_errno()
        raise OSError(number, f"capabilities cannot be dropped: {os.strerror(number)}")
