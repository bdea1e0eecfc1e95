"""Detaching from the terminal, for hosts without a service manager: python-daemon behind one door.

Its defaults are not ours: it gives umask 0, trusts stale pid files, answers SIGTERM with status 1 and lets the launcher
succeed before the daemon has started. Here the pid file is locked before the first fork, the launcher waits for the
daemon's word on a pipe and exits with its status, umask is 027, signals are left to the event loop, and everything but
the lock and the pipe is opened after. Standard error goes to `service.log`.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

EX_TEMPFAIL = 75
EX_CANTCREAT = 78
UMASK = 0o027

Ready = Callable[[], None]
"""Called once when the daemon serves: the launcher then exits with 0."""


def daemonize(pidfile: Path | None, stderr: Path, serve: Callable[[Ready], int]) -> int:
    """Run `serve` in a detached process. Returns in the launcher: 0 when it serves, else its exit status."""
    try:
        lock = _lock(pidfile) if pidfile else None
    except BlockingIOError:
        print(f"{pidfile}: the daemon runs already", file=sys.stderr)
        return EX_TEMPFAIL
    except OSError as error:
        print(f"{pidfile}: {error.strerror}; --pidfile names another", file=sys.stderr)
        return EX_CANTCREAT
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    if os.fork():
        os.close(writer)
        return _await(reader, stderr)
    os.close(reader)
    status = 1
    try:
        status = _detached(pidfile, lock, stderr, writer, serve)
    finally:
        with suppress(OSError):
            os.write(writer, f"{status}\n".encode())
        os._exit(status)


def _lock(pidfile: Path) -> int:
    """The pid file, opened and locked. Raises BlockingIOError where another process has it."""
    lock = os.open(pidfile, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise
    return lock


def _await(reader: int, stderr: Path) -> int:
    """The daemon's own word: `0` when it serves, its exit status when it ended before."""
    with os.fdopen(reader) as pipe:
        word = pipe.readline().strip()
    status = int(word) if word.isdigit() else 1
    if status:
        print(f"the daemon did not start (status {status}); the reason is in {stderr}", file=sys.stderr)
    return status


def _detached(pidfile: Path | None, lock: int | None, stderr: Path, writer: int, serve: Callable[[Ready], int]) -> int:
    import daemon  # only here: its import is slow and few need it

    keep = [fd for fd in (lock, writer) if fd is not None]
    context = daemon.DaemonContext(
        files_preserve=keep, umask=UMASK, signal_map={}, detach_process=True, pidfile=None, working_directory="/"
    )
    context.open()
    log = os.open(stderr, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    os.dup2(log, 2)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    if lock is not None:
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)

    def ready() -> None:
        os.write(writer, b"0\n")

    status = serve(ready)
    sys.stderr.flush()
    if pidfile is not None:
        pidfile.unlink(missing_ok=True)
    return status
