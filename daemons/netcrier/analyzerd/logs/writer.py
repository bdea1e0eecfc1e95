"""The daemon's logs, a file for each name: batches of whole lines, from any worker."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from netcrier.runtime.logs import JsonLog

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class LogWriter:
    """Appends batches of whole lines to the log that each is for."""

    def __init__(self, folder: Path, names: Iterable[str], stdout: bool) -> None:
        """`folder` exists; log `conn` is its `conn.log`. Raises StoreError."""
        self._logs = {name: JsonLog(folder / f"{name}.log", stdout, name) for name in names}
        for log in self._logs.values():
            log.last_line()  # cuts a line torn by a crash
        self._stdout = stdout
        self._lock = threading.Lock()
        self.lost = 0
        """Lines that a full disk did not take."""

    def put(self, name: str, lines: bytes) -> None:
        """`lines` ends with a newline, or is empty."""
        if not lines:
            return
        log = self._logs[name]
        with self._lock:
            # A batch is one write; on standard output each line bears its tag.
            for part in lines[:-1].split(b"\n") if self._stdout else (lines[:-1],):
                if not log.append(part):
                    self.lost += part.count(b"\n") + 1

    @property
    def full(self) -> bool:
        """Whether the disk refused the last batch of a log."""
        return any(log.full for log in self._logs.values())

    def reopen(self) -> None:
        """Continue in the files that the paths now name. Raises StoreError."""
        with self._lock:
            for log in self._logs.values():
                log.reopen()

    def close(self) -> None:
        """Nothing can be appended after this."""
        with self._lock:
            for log in self._logs.values():
                log.close()
