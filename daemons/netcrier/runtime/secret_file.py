"""A small file that only its owner reads, replaced as a whole: after a crash it is the old one or the new one."""

from __future__ import annotations

import os
from pathlib import Path

from netcrier.errors import StoreError
from netcrier.runtime.faults import point


def read_secret(path: Path) -> bytes | None:
    """The content, or None where there is no file."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from error


def write_secret(path: Path, content: bytes) -> None:
    """On disk, with mode 0600, when this returns."""
    new = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        point("any: before rename")
        new.replace(path)
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        point("any: after rename")
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}") from error
