"""Process 1 of a lab: it keeps the hosts' network namespaces open and takes everything down when it ends.

Run as a file, with the standard library only: `python -I -S holder.py HOSTS DIRECTORY...`.
Rules: standard input is the lab's end of a pipe; when that closes (the lab ended, was killed or crashed) every process
of the namespace is killed, the directories are removed and the holder ends, and with it the namespaces.
Standard output carries one JSON line when all namespaces stand: {"pid": outer pid, "hosts": [descriptor, ...]}.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import sys
import time
from pathlib import Path

CLONE_NEWNET = 0x40000000  # linux/sched.h; os.unshare and os.setns come with Python 3.12
CHILD_CHECK = 0.2  # seconds between two looks for orphans to reap


def host_namespaces(count: int) -> list[int]:
    """Open `count` new network namespaces; return a descriptor of each and come back to the first one."""
    libc = ctypes.CDLL(None, use_errno=True)
    hub = os.open("/proc/self/ns/net", os.O_RDONLY)
    hosts = []
    for _ in range(count):
        if libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "cannot make a network namespace")
        hosts.append(os.open("/proc/self/ns/net", os.O_RDONLY))
    if libc.setns(hub, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "cannot return to the hub's namespace")
    os.close(hub)
    return hosts


def reap() -> None:
    """Collect orphans that have ended: process 1 inherits them."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def take_down(directories: list[str]) -> None:
    """Kill what runs here, then remove the directories; a process that still writes gets a second try."""
    for _ in range(50):
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        reap()
        for directory in directories:
            shutil.rmtree(directory, ignore_errors=True)
        if not any(map(os.path.exists, directories)):
            return
        time.sleep(0.02)


def main() -> None:
    """Open the namespaces, say so, wait for the end of standard input."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    count, directories = int(sys.argv[1]), sys.argv[2:]
    # /proc is the outer one, so its `self` is the pid that the lab sees.
    answer = {"pid": int(str(Path("/proc/self").readlink())), "hosts": host_namespaces(count)}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    while True:
        readable, _, _ = select.select([0], [], [], CHILD_CHECK)
        if readable and not os.read(0, 4096):
            break
        reap()
    take_down(directories)


if __name__ == "__main__":
    main()
