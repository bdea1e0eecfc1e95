"""What keeps a daemon small: no second OpenSSL, barred before anything else is imported, and no memory kept for long.

asyncio imports ssl, and hashlib the same OpenSSL: 5 MB of memory for TLS that no daemon speaks, and for digests that
Python also has built in. `cryptography` brings an OpenSSL of its own.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from typing import Any, Final

BARRED: Final = ("ssl", "_ssl", "_hashlib")


def bar_openssl() -> None:
    """Import asyncio and hashlib without Python's OpenSSL; nothing happens where it is there already."""
    modules: dict[str, Any] = sys.modules
    if not any(name in modules for name in (*BARRED, "asyncio", "hashlib")):
        modules.update(dict.fromkeys(BARRED))  # None bars an import (importlib's documented way)


def give_back() -> None:
    """Return freed memory to the system, in a fifth of a millisecond: glibc keeps 5 MB of what long messages took."""
    with suppress(AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
