"""An engine for the analyzer's tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from netcrier.analyzerd import engine

Analyse = Callable[..., list[dict[str, Any]]]


def analyse(
    frames: Iterable[tuple[int, bytes]],
    *,
    checksums: engine.Checksums = engine.Checksums.COUNT,
    link: int = 1,
    most: int = 1000,
) -> list[dict[str, Any]]:
    """The conn records of (time, frame) pairs, in the order in which they were written."""
    kernel = engine.new_kernel(checksums=checksums, most=most, seed=bytes(range(24)))
    for time, frame in frames:
        kernel.packet(frame, time, link=link)
    kernel.flush()
    return [json.loads(line) for line in kernel.take().splitlines()]


@pytest.fixture(name="analyse")
def analyse_fixture() -> Analyse:
    """`analyse`."""
    return analyse
