"""The daemon's own end of the control socket's path: takes it, even from a dead process, and gives it back.

A path that nobody answers on is left from a crash and is replaced; one that somebody answers on is another daemon's.
The socket is bound and listening under a name of its own before it is linked to the path, so that nobody ever finds a
socket there that does not answer. On close the path is unlinked only if it still is this very socket.
"""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress
from pathlib import Path

from netcrier.errors import ConfigError

MODE = 0o666
"""Anyone may connect; rights are decided from the kernel's credentials."""

BACKLOG = 128
PATH_MAX = 107
"""Bytes of a Unix-domain address (unix(7)), without its end."""


class Listening:
    """A listening socket at a path."""

    def __init__(self, path: Path) -> None:
        """Raises ConfigError where the path cannot be used, OSError (EADDRINUSE) where another daemon answers on it."""
        self.path = path
        own = path.with_name(f".{path.name}.{os.getpid()}")
        if len(os.fsencode(own)) > PATH_MAX:
            raise ConfigError(f"{path}: longer than a socket's path may be; --runtime-dir names a shorter one")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            self._take(own)
        except BaseException:
            self.socket.close()
            raise
        finally:
            own.unlink(missing_ok=True)

    def close(self) -> None:
        """Stop listening and free the path."""
        self.socket.close()
        with suppress(OSError):
            if _identity(self.path) == self._identity:
                self.path.unlink()

    def _take(self, own: Path) -> None:
        try:
            own.unlink(missing_ok=True)
            self.socket.bind(str(own))
            own.chmod(MODE)
            self.socket.listen(BACKLOG)
            self._identity = _identity(own)
            self._link(own)
        except PermissionError as error:
            raise ConfigError(f"{self.path}: {error.strerror}; --runtime-dir names another place") from None

    def _link(self, own: Path) -> None:
        for _ in range(3):
            try:
                os.link(own, self.path, follow_symlinks=False)
            except FileExistsError:
                if answers(self.path):
                    raise OSError(errno.EADDRINUSE, "another daemon runs on it", str(self.path)) from None
                self.path.unlink(missing_ok=True)
            else:
                return
        raise OSError(errno.EADDRINUSE, "others take it at the same time", str(self.path))


def answers(path: Path) -> bool:
    """Whether a process listens on the socket at `path`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(str(path))
        except BlockingIOError:  # its backlog is full: somebody listens
            return True
        except OSError:
            return False
        return True


def _identity(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_dev, found.st_ino
