"""The dissector's owner: starts it, feeds it, bounds its time, and starts another where it hangs or dies.

The dissector runs scapy (dissector/) as a program of its own; nothing of it is imported here. It is given no
environment but what Python needs to find its packages.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING

import msgspec

from netcrier.control.types.inspection import Layer
from netcrier.errors import ConfigError, DecodeError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

PROGRAM = (sys.executable, "-P", "-B", str(Path(__file__).with_name("dissector")))
FRAME = Struct("!II")

FRAME_MOST = 256 * 1024
"""Bytes of a frame. Beyond: a failure, without asking."""

LINE_MOST = 1024 * 1024 + 1
"""Bytes of an answer, its end included; the program keeps below it. Beyond: it is killed."""

START_WAIT = 30.0
"""Seconds for its start: one here, more on a machine that is busy. Beyond: ConfigError."""

FRAME_WAIT = 5.0
"""Seconds for one frame; a frame takes 0.2 ms. Beyond: a failure, and it is killed."""

STARTS_MOST = 100
"""Starts of one owner: a file of nothing but deadly frames must come to an end. Beyond: ConfigError."""


class Dissection(msgspec.Struct, frozen=True):
    """One frame's layers, or why there are none."""

    summary: str = ""
    layers: list[Layer] = []
    cut: bool = False
    failure: str | None = None


class _Ready(msgspec.Struct, frozen=True):
    ready: str


_ANSWER = msgspec.json.Decoder(Dissection)
_READY = msgspec.json.Decoder(_Ready)


class Dissector:
    """At most one process at a time, started with the first frame."""

    def __init__(self, program: Sequence[str] = PROGRAM, wait: float = FRAME_WAIT) -> None:
        """`wait` in seconds bounds the time of one frame."""
        self._program, self._wait = program, wait
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: socket.socket | None = None
        self._rest = b""
        self.starts = 0
        """How often it was started."""

    def __enter__(self) -> Dissector:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def dissect(self, link: int, frame: bytes) -> Dissection:
        """The layers of a frame of this link type (LINKTYPE_ number).

        What the frame does to the dissector is its failure. Raises ConfigError where there is no dissector to ask.
        """
        if len(frame) > FRAME_MOST:
            return Dissection(failure=f"{len(frame)} bytes, more than {FRAME_MOST}")
        pipe = self._started()
        deadline = time.monotonic() + self._wait
        try:
            pipe.settimeout(self._wait)
            pipe.sendall(FRAME.pack(link, len(frame)) + frame)
            return _ANSWER.decode(self._line(pipe, deadline))
        except TimeoutError:
            self.close()
            return Dissection(failure=f"the dissector took more than {self._wait:g} s")
        except (EOFError, OSError):
            return Dissection(failure=f"the dissector died ({self._fate()})")
        except (DecodeError, msgspec.MsgspecError):
            self.close()
            return Dissection(failure="the dissector's answer is none")

    def close(self) -> None:
        """End it."""
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stderr is not None:
                self._process.stderr.close()
            self._process = None
        self._rest = b""

    def _started(self) -> socket.socket:
        if self._pipe is not None:
            return self._pipe
        if self.starts >= STARTS_MOST:
            raise ConfigError(f"the dissector was started {STARTS_MOST} times: this capture kills it")
        self.starts += 1
        ours, theirs = socket.socketpair()
        self._pipe = ours
        with theirs:
            self._process = subprocess.Popen(
                self._program,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.PIPE,
                env={name: os.environ[name] for name in ("HOME", "PYTHONUSERBASE") if name in os.environ},
                cwd="/",
            )
        try:
            ours.settimeout(START_WAIT)
            _READY.decode(self._line(ours, time.monotonic() + START_WAIT))
        except (EOFError, OSError, DecodeError, msgspec.MsgspecError):
            raise ConfigError(f"the dissector does not start: {self._last_words()}") from None
        return ours

    def _line(self, pipe: socket.socket, deadline: float) -> bytes:
        """The next line. Raises TimeoutError, EOFError, OSError, and DecodeError where it is too long."""
        parts = [self._rest]
        size = len(self._rest)
        while b"\n" not in parts[-1]:
            pipe.settimeout(max(0.001, deadline - time.monotonic()))
            parts.append(pipe.recv(65536))
            size += len(parts[-1])
            if not parts[-1]:
                raise EOFError
            if size > LINE_MOST:
                raise DecodeError("answer-too-long")
        line, _, self._rest = b"".join(parts).partition(b"\n")
        return line

    def _fate(self) -> str:
        """How it ended, in words."""
        process = self._process
        self._process = None
        status = None
        if process is not None:
            status = _ended(process)
        self.close()
        return f"signal {-status}" if status is not None and status < 0 else f"exit status {status}"

    def _last_words(self) -> str:
        """The end of what it said to standard error; it is closed."""
        process = self._process
        said = ""
        if process is not None and process.stderr is not None:
            process.kill()
            said = process.stderr.read().decode(errors="replace").strip()
        self.close()
        return said.splitlines()[-1] if said else f"no word from {self._program[0]}"


def _ended(process: subprocess.Popen[bytes]) -> int:
    """The exit status, as subprocess has it; killed where it only closed its end."""
    try:
        status = process.wait(1.0)
    except subprocess.TimeoutExpired:
        process.kill()
        status = process.wait()
    if process.stderr is not None:
        process.stderr.close()
    return status
