"""conn.log of the daemon: lines as the engine made them, from any worker."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from netcrier.runtime.logs import JsonLog

if TYPE_CHECKING:
    from pathlib import Path


class ConnLog:
    """Appends batches of whole lines."""

    def __init__(self, path: Path, stdout: bool) -> None:
        """Raises StoreError."""
        self._log = JsonLog(path, stdout, "conn")
        self._log.last_line()  # cuts a line torn by a crash
        self._stdout = stdout
        self._lock = threading.Lock()
        self.lost = 0
        """Lines that a full disk did not take."""

    def append(self, lines: bytes) -> None:
        """`lines` ends with a newline, or is empty."""
        if not lines:
            return
        with self._lock:
            # A batch is one write; on standard output each line bears its tag.
            for part in lines[:-1].split(b"\n") if self._stdout else (lines[:-1],):
                if not self._log.append(part):
                    self.lost += part.count(b"\n") + 1

    @property
    def full(self) -> bool:
        """Whether the disk refused the last batch."""
        return self._log.full

    def reopen(self) -> None:
        """Continue in the file that the path now names. Raises StoreError."""
        with self._lock:
            self._log.reopen()

    def close(self) -> None:
        """Nothing can be appended after this."""
        with self._lock:
            self._log.close()
