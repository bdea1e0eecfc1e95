"""What is said with a handler that runs: the message goes in, its output comes out, within bounds."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from typing import IO, Final

_PIECE: Final = 65536
_ERRORS_KEPT: Final = 16384
"""Bytes of standard error that go to the service log."""
_REST_MOST: Final = 4 << 20
"""Bytes that are still taken after the end: more than its pipes hold. Who goes on writing is not listened to."""


class Talk:
    """See the module. `output`: bytes that are kept. `peer`: a descriptor that is readable when nobody waits."""

    def __init__(self, child: subprocess.Popen[bytes], body: bytes, output: int, peer: int | None) -> None:
        assert child.stdin
        assert child.stdout
        assert child.stderr
        self._child, self._left, self._output, self._peer = child, memoryview(body), output, peer
        self._stdin, self._stdout, self._stderr = child.stdin, child.stdout, child.stderr
        self._errors_left = _ERRORS_KEPT
        self.kept = bytearray()
        self.size = 0
        """Bytes of output, also of what is not kept."""
        for pipe in (self._stdin, self._stdout, self._stderr):
            os.set_blocking(pipe.fileno(), False)

    def until_end(self, seconds: float) -> bool:
        """Until it has ended; False where its time was over before, or nobody waits any more."""
        end, ended = time.monotonic() + seconds, os.pidfd_open(self._child.pid)
        try:
            return self._until(end, ended)
        finally:
            os.close(ended)

    def rest(self) -> None:
        """What it wrote before its end, as far as its pipes held it; then they are closed."""
        for pipe in (self._stdout, self._stderr):
            for _ in range(_REST_MOST // _PIECE):
                if not self._take(pipe, at_end=True):
                    break
            pipe.close()
        self._stdin.close()

    def _until(self, end: float, ended: int) -> bool:
        """It is not collected here: as long as it is not, its number stays its session's alone."""
        with selectors.DefaultSelector() as ready:
            ready.register(ended, selectors.EVENT_READ)
            ready.register(self._stdout, selectors.EVENT_READ, self._stdout)
            ready.register(self._stderr, selectors.EVENT_READ, self._stderr)
            ready.register(self._stdin, selectors.EVENT_WRITE)
            if self._peer is not None:
                ready.register(self._peer, selectors.EVENT_READ)
            while (left := end - time.monotonic()) > 0:
                for key, _ in ready.select(left):
                    if key.fd in (ended, self._peer):
                        return key.fd == ended
                    if key.fileobj is self._stdin:
                        if not self._give():
                            ready.unregister(self._stdin)
                            self._stdin.close()
                    elif not self._take(key.data):
                        ready.unregister(key.fileobj)
        return False

    def _take(self, pipe: IO[bytes], at_end: bool = False) -> bool:
        """A piece of what it says; False where there is no more."""
        try:
            data = os.read(pipe.fileno(), _PIECE)
        except BlockingIOError:
            return not at_end
        if pipe is self._stdout:
            self.size += len(data)
            self.kept += data[: self._output - len(self.kept)]
        elif self._errors_left and data:
            sys.stderr.buffer.write(data[: self._errors_left])
            sys.stderr.buffer.flush()
            self._errors_left -= min(len(data), self._errors_left)
        return bool(data)

    def _give(self) -> bool:
        """Write what the pipe takes; False where nothing is left, or the handler does not read on."""
        try:
            self._left = self._left[os.write(self._stdin.fileno(), self._left[:_PIECE]) :] if self._left else self._left
        except BlockingIOError:
            return True
        except BrokenPipeError:
            return False
        return bool(self._left)
