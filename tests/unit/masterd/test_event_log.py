"""The master's log: what happened in one turn goes to it together, in order, and what its disk refuses is counted."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from netcrier.core.delivery import Receipt, State
from netcrier.core.events import Completed
from netcrier.core.master.roster import Roster
from netcrier.ids import MessageId
from netcrier.masterd.event_log import EventLog
from netcrier.runtime.logs import JsonLog

MESSAGE = MessageId(1, 0, 7)


def turn(log: EventLog, nodes: int) -> None:
    for index in range(nodes):
        log.receipt(Receipt(MESSAGE, index, State.DELIVERED, 0.002))
    log.completed(Completed(MESSAGE, nodes, 0.002, nodes))


def events(path: Path) -> list[str]:
    return [json.loads(line)["event"] for line in path.read_text().splitlines()]


def test_lines_gather_until_the_turn_ends_and_keep_their_order(tmp_path: Path) -> None:
    path = tmp_path / "messages.log"
    log = EventLog(JsonLog(path), Roster(), "epoch")
    turn(log, 3)
    assert events(path) == []
    log.flush()
    assert events(path) == ["receipt"] * 3 + ["complete"]
    log.flush()
    turn(log, 1)
    log.close()
    assert events(path) == ["receipt"] * 3 + ["complete", "receipt", "complete"]


def test_what_the_disk_refuses_is_counted_and_still_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    path = tmp_path / "messages.log"
    log = EventLog(JsonLog(path, stdout=True), Roster(), "epoch")
    turn(log, 1)
    log.flush()
    room, write = [300], os.write

    def full(file: int, data: bytes) -> int:
        if file == 1:
            return write(file, data)
        if not room[0]:
            raise OSError(28, "No space left on device")
        room[0] -= (part := min(room[0], len(data)))
        return write(file, data[:part])

    monkeypatch.setattr(os, "write", full)
    turn(log, 4)
    log.flush()
    monkeypatch.undo()
    written = events(path)
    assert written[:2] == ["receipt", "complete"]
    assert 2 < len(written) < 7
    assert log.log.lost == 7 - len(written)
    assert len(capfdbinary.readouterr().out.splitlines()) == 7
