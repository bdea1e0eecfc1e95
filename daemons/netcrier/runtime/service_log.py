"""A daemon's own service log on standard error: text on a terminal, one JSON object a line elsewhere.

Fixed keys: `ts`, `level`, `daemon`, `event`, and those that a call gives as `extra=keys(...)`. One place in the code
logs at most `BURST` lines in `PERIOD` seconds; the first line of the next period says how many were left out, so that
no peer can fill the disk. Secrets are never passed here.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import msgspec

from netcrier.runtime.logs import stamp

if TYPE_CHECKING:
    from collections.abc import Callable

BURST = 10
"""Lines from one place in the code before it is quiet for the rest of the period."""

PERIOD = 10.0
"""Seconds."""

COLORS = {logging.WARNING: "\033[33m", logging.ERROR: "\033[31m", logging.CRITICAL: "\033[31m"}
PLAIN = "\033[0m"


def keys(**values: str | float | bool | None) -> dict[str, dict[str, Any]]:
    """The `extra=` of a logging call: keys of the record beside its event."""
    return {"keys": values}


def service_log(daemon: str, level: str = "info") -> logging.Logger:
    """The logger above all others of this package, writing to standard error. Called again, it sets the level."""
    logger = logging.getLogger("netcrier")
    logger.setLevel(level.upper())
    logger.propagate = False
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stderr)
        terminal = sys.stderr.isatty()
        handler.setFormatter(TextFormat(color="NO_COLOR" not in os.environ) if terminal else JsonFormat(daemon))
        handler.addFilter(Bounded(time.monotonic))
        logger.addHandler(handler)
        logging.getLogger("asyncio").addHandler(handler)
    return logger


class TextFormat(logging.Formatter):
    """`14:02:11 warning  store is full  path=/var/lib  free=0`."""

    def __init__(self, color: bool) -> None:
        super().__init__()
        self._color = color

    def format(self, record: logging.LogRecord) -> str:
        """One line; a traceback follows on lines of its own."""
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        pairs = "".join(f"  {key}={value}" for key, value in getattr(record, "keys", {}).items())
        line = f"{clock} {record.levelname.lower():<8} {record.getMessage()}{pairs}"
        if self._color and record.levelno in COLORS:
            line = f"{COLORS[record.levelno]}{line}{PLAIN}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormat(logging.Formatter):
    """The same as one JSON object."""

    def __init__(self, daemon: str) -> None:
        super().__init__()
        self._daemon = daemon

    def format(self, record: logging.LogRecord) -> str:
        """One line; a traceback is the key `traceback`."""
        fields = {
            "ts": stamp(int(record.created * 1e6), "iso"),
            "level": record.levelname.lower(),
            "daemon": self._daemon,
            "event": record.getMessage(),
            **getattr(record, "keys", {}),
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(fields, enc_hook=str).decode()


class Bounded(logging.Filter):
    """Lets `BURST` records of one place pass in `PERIOD` seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock
        self._places: dict[tuple[str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """False for what is beyond the burst."""
        place, now = (record.pathname, record.lineno), self._clock()
        since, count = self._places.get(place, (now, 0))
        if now - since >= PERIOD:
            if count > BURST:
                record.keys = {**getattr(record, "keys", {}), "left_out": count - BURST}
            since, count = now, 0
        self._places[place] = (since, count + 1)
        return count < BURST
