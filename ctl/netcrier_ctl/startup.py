"""What makes netctl start fast, done before anything else is imported."""

from __future__ import annotations

import sys
from typing import Any

SLOW = "typing_extensions"
"""msgspec takes names from it where it is installed and from typing where it is not; importing it costs 10 ms."""


def faster_start() -> None:
    """Import msgspec without `SLOW`, which stays importable for everybody else."""
    if SLOW in sys.modules or "msgspec" in sys.modules:
        return
    modules: dict[str, Any] = sys.modules  # None bars an import (importlib's documented way)
    modules[SLOW] = None
    try:
        import msgspec  # noqa: F401 - imported for its effect on sys.modules
    finally:
        del modules[SLOW]
