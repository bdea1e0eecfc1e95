"""One run of one handler, `python -m netcrier.noded.runner`: request on standard input, result on standard output.

It is a process of its own: started by systemd for each connection of noded (netcrier-handler.socket), else by noded. It
trusts noded for the message and for nothing else: the folder is its own, and a file runs only if root alone can have
put it there.

Rules: clean environment, own process group, bounded in time, memory and output; at the end, or when its time is over,
the whole group is killed. What a handler writes to standard error goes to the service log.
"""

from __future__ import annotations

import os
import resource
import selectors
import signal
import stat
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

import msgspec

from netcrier.control import paths
from netcrier.wire.handled import Code

REQUEST_MAX: Final = (1 << 20) + (1 << 16)
"""Bytes of a request: the greatest message, its facts and bounds."""
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PIECE: Final = 65536
_FILES: Final = 256


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


class Ran(msgspec.Struct, frozen=True, array_like=True):
    """What became of it. `code` as in wire.handled: exit status, 256 + signal, or a Code."""

    code: int
    output: bytes
    size: int
    """Bytes of output, also of what was not kept."""


def folder() -> Path:
    """Where handlers lie."""
    return paths.config_dir(os.environ) / "handlers.d"


def named(directory: Path, name: str) -> Path | Code:
    """The file that may run under this name, or why none may."""
    if not name or name.startswith(".") or not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
        return Code.NO_HANDLER
    path = directory / name
    try:
        found = [directory.lstat(), path.lstat()]
    except OSError:
        return Code.NO_HANDLER
    if any(one.st_uid != 0 or one.st_mode & (stat.S_IWGRP | stat.S_IWOTH) for one in found):
        return Code.UNSAFE
    if not stat.S_ISREG(found[1].st_mode) or not found[1].st_mode & stat.S_IXUSR:
        return Code.NO_HANDLER
    return path


def run(asked: Run, directory: Path) -> Ran:
    """Run it to its end or to its bounds."""
    path = named(directory, asked.name)
    if isinstance(path, Code):
        return Ran(path, b"", 0)

    def bounds() -> None:
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
            env=environment,
            cwd="/",
            start_new_session=True,
            preexec_fn=bounds,
        )
    except (OSError, subprocess.SubprocessError) as error:
        print(f"{path}: {error}", file=sys.stderr)
        return Ran(Code.FAILED, b"", 0)
    with child:
        try:
            output, size, late = _talk(child, asked)
        finally:
            _kill(child)
        code = child.wait()
    return Ran(Code.TIMED_OUT if late else code if code >= 0 else Code.SIGNALLED - code, output, size)


def _talk(child: subprocess.Popen[bytes], asked: Run) -> tuple[bytes, int, bool]:
    """Give it the body and take its output until it ends: output, its whole size, and whether its time was over."""
    assert child.stdin
    assert child.stdout
    end = time.monotonic() + asked.seconds
    kept, size, left = bytearray(), 0, memoryview(asked.body)
    os.set_blocking(child.stdin.fileno(), False)
    with selectors.DefaultSelector() as ready:
        ready.register(child.stdout, selectors.EVENT_READ)
        ready.register(child.stdin, selectors.EVENT_WRITE)
        while ready.get_map() and child.poll() is None:
            if time.monotonic() >= end:
                return bytes(kept), size, True
            for key, _ in ready.select(min(0.05, max(0.0, end - time.monotonic()))):
                if key.fileobj is child.stdin:
                    left = _give(child.stdin, left)
                    if not left:
                        ready.unregister(child.stdin)
                        child.stdin.close()
                    continue
                data = os.read(key.fd, _PIECE)
                if not data:
                    ready.unregister(child.stdout)
                size += len(data)
                kept += data[: asked.output - len(kept)]
    while child.poll() is None:  # it has closed its output and goes on
        if time.monotonic() >= end:
            return bytes(kept), size, True
        time.sleep(0.005)
    _kill(child)  # who it left behind holds the pipe open
    while data := os.read(child.stdout.fileno(), _PIECE):
        size += len(data)
        kept += data[: asked.output - len(kept)]
    return bytes(kept), size, False


def _give(pipe: IO[bytes], left: memoryview) -> memoryview:
    """Write what the pipe takes; nothing is left where the handler does not read on."""
    try:
        return left[os.write(pipe.fileno(), left[:_PIECE]) :] if left else left
    except BlockingIOError:
        return left
    except BrokenPipeError:
        return left[:0]


def _kill(child: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def main() -> int:
    """One request, one result: each MessagePack behind a size of 4 bytes. 2 where the request is none."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # given up: the handler's group is killed on the way out
    size = int.from_bytes(sys.stdin.buffer.read(4), "big")
    if not 0 < size <= REQUEST_MAX:
        return 2
    try:
        asked = msgspec.msgpack.decode(sys.stdin.buffer.read(size), type=Run)
    except msgspec.DecodeError:
        return 2
    result = msgspec.msgpack.encode(run(asked, folder()))
    sys.stdout.buffer.write(len(result).to_bytes(4, "big") + result)
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
