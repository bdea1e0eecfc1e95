"""State is kept in memory where there is room, and nowhere else unless asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from netcrier.errors import CapabilityError
from netcrier_ctl.simulation import memory
from netcrier_ctl.simulation.plan import Plan


def test_more_state_than_memory_has_room_for_is_refused_with_the_way_out() -> None:
    with pytest.raises(CapabilityError, match=r"no memory-backed directory has .* MiB free .*--state-dir"):
        memory.memory_place(Plan(nodes=250, count=100_000, size=1 << 20))


def test_a_directory_on_disk_is_not_taken_for_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "CANDIDATES", (str(tmp_path),))
    with pytest.raises(CapabilityError):
        memory.memory_place(Plan(nodes=1, count=1))
