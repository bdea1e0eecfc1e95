"""A program that runs on a host of a lab. `pid` is the program's own, in the number space of the caller."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from netcrier.errors import NetcrierError

FORK_LIMIT = 5.0  # seconds for nsenter to start the program
FORK_CHECK = 0.001  # seconds between two looks


class Process:
    """The program behind an nsenter, which passes on its exit status and the signal that ended it."""

    def __init__(self, host: str, runner: subprocess.Popen[bytes]) -> None:
        self.host = host
        self.runner = runner
        self.pid = _child(runner)
        self._handle = os.pidfd_open(self.pid) if self.pid else None

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to the program itself; nothing happens where it has ended."""
        if self._handle is None:
            return
        try:
            signal.pidfd_send_signal(self._handle, number)
        except ProcessLookupError:
            return
        if number == signal.SIGCONT:  # nsenter stops when its child is stopped
            self.runner.send_signal(number)

    def poll(self) -> int | None:
        """The exit status, a negative signal number, or None while it runs."""
        return self.runner.poll()

    def wait(self, timeout: float = 10.0) -> int:
        """Wait at most `timeout` seconds for the end; return as `poll`. Raises subprocess.TimeoutExpired."""
        status = self.runner.wait(timeout)
        self.release()
        return status

    def stop(self, timeout: float = 10.0) -> int:
        """Ask it to end with SIGTERM and wait."""
        self.kill(signal.SIGTERM)
        return self.wait(timeout)

    def release(self) -> None:
        """Close what the lab holds of it: its handle and the pipes to it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        for pipe in (self.runner.stdin, self.runner.stdout, self.runner.stderr):
            if pipe is not None and pipe is self.runner.stdin:
                pipe.close()


def _child(runner: subprocess.Popen[bytes]) -> int:
    """The pid of the program that nsenter started; 0 where it ended before it could be seen."""
    children = Path(f"/proc/{runner.pid}/task/{runner.pid}/children")
    end = time.monotonic() + FORK_LIMIT
    while time.monotonic() < end:
        try:
            pids = children.read_text().split()
        except OSError:
            pids = []
        if pids:
            return int(pids[0])
        if runner.poll() is not None:
            return 0
        time.sleep(FORK_CHECK)
    raise NetcrierError(f"nsenter started nothing within {FORK_LIMIT:.0f} s")
