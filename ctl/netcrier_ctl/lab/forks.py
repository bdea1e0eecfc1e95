"""Starts many daemons quickly: one interpreter that has imported them forks once for each.

Run in a lab as `python -m netcrier_ctl.lab.forks MODULE...`. Each line of standard input is a JSON object,
{"module", "net", "environ", "stderr"}: the module whose `main()` to run, the path of a network namespace, additions to
the environment, and a file for standard error. Standard output bears {"pid": outer pid} for each, in that order.
It ends with its standard input; what it started goes on.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

CLONE_NEWNET = 0x40000000  # linux/sched.h; os.setns comes with Python 3.12


def enter(namespace: str) -> None:
    """Move this process to a network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    there = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    if libc.setns(there, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
    os.close(there)


def become(order: dict[str, Any]) -> NoReturn:
    """Turn this fork into the daemon; never returns."""
    status = 1
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        errors = os.open(order["stderr"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        for old, new in ((null, 0), (null, 1), (errors, 2)):
            os.dup2(old, new)
        os.closerange(3, 64)
        enter(order["net"])
        os.environ.update(order["environ"])
        module = import_module(order["module"])
        sys.argv = [order["module"]]
        status = module.main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    finally:
        os._exit(status)


def main() -> None:
    """Import what will be wanted, then fork to order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for netctl, which takes the lab down
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
    for name in sys.argv[1:]:
        import_module(name)
    gc.collect()
    gc.freeze()  # what is imported stays shared between the forks
    for line in sys.stdin.buffer:
        order = json.loads(line)
        read, write = os.pipe()
        pid = os.fork()
        if not pid:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.write(write, str(Path("/proc/self").readlink()).encode())  # /proc is the outer one
            become(order)
        os.close(write)
        sys.stdout.write(json.dumps({"pid": int(os.read(read, 32))}) + "\n")
        sys.stdout.flush()
        os.close(read)


if __name__ == "__main__":
    main()
