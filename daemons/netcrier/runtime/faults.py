"""Named points at which a test can have a daemon killed: `NETCRIER_FAULT=NAME` at the first, `NAME:3` at the third.

The variable is read once, when the module is imported; without it `point` does nothing. The names stand where something
has just become, or is just about to become, durable or visible. `any: …` is every transaction, and every small file
that is replaced: with a count it reaches each durable step of a daemon.
"""

from __future__ import annotations

import os
import signal
from typing import Final

VARIABLE: Final = "NETCRIER_FAULT"

POINTS: Final = frozenset(
    {
        "master: before message commit",
        "master: after message commit",
        "master: after publish",
        "master: before receipt commit",
        "master: after receipt commit",
        "node: before journal commit",
        "node: after journal commit",
        "node: after log write",
        "any: before commit",
        "any: after commit",
        "any: before rename",
        "any: after rename",
    }
)


class _Armed:
    """Counts down to the point that is meant."""

    def __init__(self, text: str) -> None:
        head, colon, count = text.rpartition(":")
        counted = bool(colon) and count.isdecimal()
        self._name = head if counted else text
        self._left = int(count) if counted else 1
        assert self._name in POINTS, f"{VARIABLE}: no point is named {self._name!r}"

    def point(self, name: str) -> None:
        assert name in POINTS
        if name == self._name:
            self._left -= 1
            if not self._left:
                os.kill(os.getpid(), signal.SIGKILL)


def _nothing(_name: str) -> None:
    """No fault is asked for."""


point = _Armed(os.environ[VARIABLE]).point if VARIABLE in os.environ else _nothing
