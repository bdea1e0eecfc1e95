"""One run of one handler, as `python -I -m netcrier.noded.programs.runner`: request on stdin, result on stdout.

It is a process of its own: started by systemd for each connection of noded (netcrier-handler.socket), else by noded. It
trusts noded for the message and for nothing else: the folder is its own, and a file runs only if root alone can have
put it there.

Rules: clean environment, own session, bounded in time, memory and output; at the end, when its time is over, or when
noded has gone (its end of standard input is closed), all that it started is killed. Of what a handler writes to
standard error a bounded part goes to the service log.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from netcrier.control import paths
from netcrier.noded.programs.files import named
from netcrier.noded.programs.orphans import Orphans
from netcrier.noded.programs.talk import Talk
from netcrier.wire.handled import Code

REQUEST_MAX: Final = (1 << 20) + (1 << 16)
"""Bytes of a request: the greatest message, its facts and bounds."""
SECONDS_MAX: Final = 3600.0
OUTPUT_MAX: Final = 1 << 20
_ASKED_WITHIN: Final = 10
"""Seconds in which the request has to be there."""
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_FILES: Final = 256
_FACT: Final = re.compile(r"[A-Z][A-Z0-9_]*")
_PLAIN_SIGNALS: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE)


class Run(msgspec.Struct, frozen=True, array_like=True):
    """What to run and within which bounds."""

    name: str
    facts: dict[str, str]
    """Become NETCRIER_… in its environment."""
    body: bytes
    seconds: float
    output: int
    """Bytes of standard output that are kept."""
    memory: int
    """Bytes of address space."""

    @property
    def sound(self) -> bool:
        """Whether its bounds are bounds, and its facts can be an environment."""
        bounded = 0 < self.seconds <= SECONDS_MAX and 0 <= self.output <= OUTPUT_MAX and 0 < self.memory < 1 << 63
        return bounded and all(_FACT.fullmatch(key) and "\0" not in value for key, value in self.facts.items())


class Ran(msgspec.Struct, frozen=True, array_like=True):
    """What became of it. `code` as in wire.handled: exit status, 256 + signal, or a Code."""

    code: int
    output: bytes
    size: int
    """Bytes of output, also of what was not kept."""


def folder() -> Path:
    """Where handlers lie."""
    return paths.config_dir(os.environ) / "handlers.d"


def run(asked: Run, directory: Path, peer: int | None = None) -> Ran:
    """Run it to its end or to its bounds. `peer`: a descriptor that becomes readable when nobody waits any more."""
    path = named(directory, asked.name)
    if isinstance(path, Code):
        return Ran(path, b"", 0)
    orphans = Orphans()

    def bounds() -> None:
        orphans.die_with_parent()
        for number in _PLAIN_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        resource.setrlimit(resource.RLIMIT_AS, (asked.memory, asked.memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        most = min(_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    environment = {"PATH": _PATH, "LANG": "C.UTF-8"} | {f"NETCRIER_{key}": value for key, value in asked.facts.items()}
    try:
        child = subprocess.Popen(
            [path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=environment,
            cwd="/",
            umask=0o027,
            start_new_session=True,
            preexec_fn=bounds,
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        print(f"{path}: {error}", file=sys.stderr)
        return Ran(Code.FAILED, b"", 0)
    talk = Talk(child, asked.body, asked.output, peer)
    try:
        in_time = talk.until_end(asked.seconds)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        code = child.wait()
        orphans.kill()
        talk.rest()
    if not in_time:
        code = Code.TIMED_OUT
    elif code < 0:
        code = Code.SIGNALLED - code
    return Ran(code, bytes(talk.kept), talk.size)


def main() -> int:
    """One request, one result: each MessagePack behind a size of 4 bytes. 2 where the request is none."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # given up: all is killed on the way out
    signal.alarm(_ASKED_WITHIN)
    asked = _asked()
    signal.alarm(0)
    if asked is None:
        return 2
    result = msgspec.msgpack.encode(run(asked, folder(), sys.stdin.fileno()))
    sys.stdout.buffer.write(len(result).to_bytes(4, "big") + result)
    sys.stdout.buffer.flush()
    return 0


def _asked() -> Run | None:
    size = int.from_bytes(_read(4), "big")
    if not 0 < size <= REQUEST_MAX:
        return None
    try:
        asked = msgspec.msgpack.decode(_read(size), type=Run)
    except msgspec.DecodeError:
        return None
    return asked if asked.sound else None


def _read(size: int) -> bytes:
    """So much of standard input and no byte more; less where it ends."""
    data = bytearray()
    while len(data) < size and (piece := os.read(0, size - len(data))):
        data += piece
    return bytes(data)


if __name__ == "__main__":
    sys.exit(main())
