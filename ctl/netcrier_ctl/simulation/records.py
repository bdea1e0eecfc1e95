"""The daemons' JSON logs, read as they grow: what the simulation knows of a message it knows from there."""

from __future__ import annotations

from pathlib import Path
from typing import Generic, TypeVar

import msgspec


class MasterLine(msgspec.Struct, frozen=True):
    """What is read of a line of masterd's messages.log."""

    ts: float
    event: str
    id: str


class NodeLine(msgspec.Struct, frozen=True):
    """What is read of a line of noded's messages.log; other lines have no `logged`."""

    id: str = ""
    logged: float | None = None


L = TypeVar("L", bound=msgspec.Struct)


class GrowingLog(Generic[L]):
    """A JSON log that another process appends to."""

    def __init__(self, path: Path, line: type[L]) -> None:
        self._path = path
        self._decoder = msgspec.json.Decoder(line)
        self._at = 0

    def fresh(self) -> list[L]:
        """The whole lines that were appended since the last call; none while there is no file."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._at)
                data = file.read()
        except FileNotFoundError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._at += len(whole)
        return [self._decoder.decode(line) for line in whole.splitlines()]
