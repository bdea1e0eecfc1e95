"""Logs are read as they grow, whole lines only."""

from __future__ import annotations

from pathlib import Path

from netcrier_ctl.simulation.records import GrowingLog, NodeLine


def test_each_whole_line_is_given_once_and_a_half_one_waits(tmp_path: Path) -> None:
    path = tmp_path / "messages.log"
    log = GrowingLog(path, NodeLine)
    assert log.fresh() == []
    path.write_bytes(b'{"id":"1","logged":1.5,"event":"message"}\n{"id":"2","log')
    assert log.fresh() == [NodeLine("1", 1.5)]
    assert log.fresh() == []
    with path.open("ab") as file:
        file.write(b'ged":2.5}\n{"event":"another"}\n')
    assert log.fresh() == [NodeLine("2", 2.5), NodeLine("", None)]
