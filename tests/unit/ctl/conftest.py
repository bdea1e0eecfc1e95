"""The host on which netctl's unit tests run it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scripted_host import Host


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """Nothing runs on it yet. Local time is UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield Host(tmp_path)
    monkeypatch.undo()
    time.tzset()
