"""What a peer can grow has a cap, and every cap is reached by a test."""

from __future__ import annotations

from pathlib import Path

import pytest
from netcrier.wire import limits

TESTS = Path(__file__).parents[2]
NAMES = [name for name in vars(limits) if name.isupper()]


@pytest.mark.parametrize("name", NAMES)
def test_every_limit_is_named_in_a_test(name: str) -> None:
    files = [path for path in TESTS.rglob("test_*.py") if path != Path(__file__)]
    assert any(name in path.read_text() for path in files)
