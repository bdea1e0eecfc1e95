"""What keeps a daemon small: no OpenSSL, barred before anything else is imported, and no memory kept for long.

asyncio imports ssl, and hashlib the same OpenSSL: 5 MB of memory for TLS that no daemon speaks, and for digests that
Python also has built in. Some distributions build it without them: there OpenSSL stays.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from importlib.util import find_spec
from typing import Any, Final

BARRED: Final = ("ssl", "_ssl", "_hashlib")
DIGESTS: Final = ("_sha2", "_sha256")
"""Python's own, since 3.12 and before."""


def bar_openssl() -> None:
    """Import asyncio and hashlib without Python's OpenSSL; nothing happens where it is there already, or needed."""
    modules: dict[str, Any] = sys.modules
    early = any(name in modules for name in (*BARRED, "asyncio", "hashlib"))
    if not early and any(map(find_spec, DIGESTS)):
        modules.update(dict.fromkeys(BARRED))  # None bars an import (importlib's documented way)


def give_back() -> None:
    """Return freed memory to the system, in a fifth of a millisecond: glibc keeps 5 MB of what long messages took."""
    with suppress(AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
