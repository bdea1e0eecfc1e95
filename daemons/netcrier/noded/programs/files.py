"""What handlers.d holds: which file may run under a name, and which names messages start.

Rules:
- A file runs only if root alone can have put it there: it, its folder and all folders above are root's and closed to
  others' writing (above, a folder in which each can remove only what is its own will do, as /tmp). No link is followed.
- The runner decides that anew at every start. A file that it refuses is still named here, so that the refusal is seen.
- The folder is read again where it has changed; otherwise a message costs one look at the folder and one at each file
  with the name of a message handler, for its mode may have changed.
"""

from __future__ import annotations

import os
import re
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from netcrier.wire.handled import Code

PREFIX: Final = "message"
"""What the name of a message handler begins with; another name is run by `netctl query NAME` only."""
_FRESH: Final = 2_000_000_000
"""Nanoseconds: a folder that changed so lately may change again within the same tick of its file system's clock."""
_NAMES_SHOWN: Final = 3
_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_NOBODY: Final = 65534
"""The owner that a file has in a user namespace without an id for its own."""


def proper(name: str) -> bool:
    """Whether it can be a handler's name: letters, digits, `-`, `_` and `.`, the first no dot."""
    return _NAME.fullmatch(name) is not None


def named(folder: Path, name: str) -> Path | Code:
    """The file that may run under this name, or why none may."""
    if not proper(name):
        return Code.NO_HANDLER
    path = folder / name
    try:
        found = path.lstat()
        safe = _roots(found) and _roots(folder.lstat()) and all(map(_safe_above, _above(folder)))
    except OSError:
        return Code.NO_HANDLER
    if not safe:
        return Code.UNSAFE
    if not stat.S_ISREG(found.st_mode) or not found.st_mode & stat.S_IXUSR:
        return Code.NO_HANDLER
    return path


def _roots(found: os.stat_result) -> bool:
    """Whether root alone may change it; a link has no mode of its own and is refused."""
    return found.st_uid == 0 and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _above(folder: Path) -> set[Path]:
    """All folders over this one, as it is named and as it is."""
    return {*folder.absolute().parents, *folder.resolve().parents}


def _safe_above(folder: Path) -> bool:
    found = folder.lstat()
    if found.st_uid != 0 and not (found.st_uid == _NOBODY and _in_user_namespace()):
        return False
    sticky, open_to_others = found.st_mode & stat.S_ISVTX, found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISLNK(found.st_mode) or bool(sticky) or not open_to_others


def _in_user_namespace() -> bool:
    """Whether some ids of the machine have none here: those above may belong to them."""
    return Path("/proc/self/uid_map").read_text().split() != ["0", "0", "4294967295"]


class HandlerFiles:
    """See the module."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._state: tuple[int, int, int] | None = None
        self._names: tuple[str, ...] = ()

    def messages(self) -> tuple[str, ...]:
        """The names of the message handlers, in the order in which they run."""
        self._look()
        return tuple(name for name in self._names if self._executable(name))

    def warnings(self) -> list[str]:
        """What an administrator should mend, a sentence each."""
        try:
            names = sorted(path.name for path in self._folder.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            return [f"{self._folder} cannot be read: {error.strerror}; no message handler runs"]
        unsafe = [name for name in names if proper(name) and named(self._folder, name) is Code.UNSAFE]
        if not unsafe:
            return []
        shown = ", ".join(unsafe[:_NAMES_SHOWN]) + (
            f" and {len(unsafe) - _NAMES_SHOWN} more" if unsafe[_NAMES_SHOWN:] else ""
        )
        why = "file and folder have to be root's, no link, and closed to others' writing"
        return [f"{self._folder}: {shown} will not run: {why}: chown root, chmod go-w"]

    def _look(self) -> None:
        try:
            found = self._folder.stat()
            state = (found.st_ino, found.st_mtime_ns, found.st_ctime_ns)
            if state != self._state:
                self._names = tuple(sorted(path.name for path in self._folder.iterdir() if _ours(path.name)))
                self._state = state if time.time_ns() - found.st_mtime_ns > _FRESH else None
        except OSError:  # absent, or closed to noded: `warnings` says so
            self._names, self._state = (), None

    def _executable(self, name: str) -> bool:
        """Whether it is meant to run: a plain file without the mode, or a folder, is not."""
        with suppress(OSError):
            mode = (self._folder / name).lstat().st_mode
            return bool(mode & stat.S_IXUSR) and not stat.S_ISDIR(mode)
        return False


def _ours(name: str) -> bool:
    return name.startswith(PREFIX) and proper(name)
