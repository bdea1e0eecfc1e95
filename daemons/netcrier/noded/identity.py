"""Who the node is: its key, bound to the machine, its boot number, the master it trusts. A file, mode 0600.

A cloned disk image gets a new identity where it wakes (another machine-id), unless the configuration says
`identity = "keep"`, as containers need. The boot number is on disk before the first datagram of a run.
"""

from __future__ import annotations

import os
from hashlib import blake2b
from pathlib import Path

import msgspec

from netcrier.core.events import Pin
from netcrier.errors import StoreError
from netcrier.runtime.secret_file import read_secret, write_secret
from netcrier.wire.hello import MACHINE_SIZE


class _File(msgspec.Struct, frozen=True):
    """The file's content, as JSON with base64."""

    key: bytes
    machine: bytes
    boot: int
    pin: Pin | None = None


class Identity(msgspec.Struct, frozen=True):
    """The node of this run. `cloned`: the file came from another machine, so the key is new."""

    key: bytes
    machine: bytes
    boot: int
    pin: Pin | None
    cloned: bool = False


def machine_of(path: Path = Path("/etc/machine-id")) -> bytes:
    """16 bytes that stand for the machine-id and do not tell it (machine-id(5)); zeros where there is none."""
    try:
        name = path.read_bytes().strip()
    except OSError:
        name = b""
    return blake2b(name, digest_size=MACHINE_SIZE, person=b"nc machine").digest() if name else bytes(MACHINE_SIZE)


def begin(path: Path, machine: bytes, keep: bool) -> Identity:
    """The identity with its next boot number, already on disk. StoreError where the file is damaged."""
    content = read_secret(path)
    if content is None:
        return _kept(path, Identity(os.urandom(32), machine, 1, None))
    try:
        old = msgspec.json.decode(content, type=_File)
    except msgspec.MsgspecError as error:
        raise StoreError(f"{path} is damaged: {error}. Set it aside; the node then joins anew.") from error
    if old.machine != machine and any(old.machine) and not keep:
        return _kept(path, Identity(os.urandom(32), machine, 1, old.pin, cloned=True))
    return _kept(path, Identity(old.key, machine, old.boot + 1, old.pin))


def keep_pin(path: Path, identity: Identity, pin: Pin) -> None:
    """Trust this master after a restart too."""
    _kept(path, Identity(identity.key, identity.machine, identity.boot, pin))


def _kept(path: Path, identity: Identity) -> Identity:
    file = _File(identity.key, identity.machine, identity.boot, identity.pin)
    write_secret(path, msgspec.json.encode(file))
    return identity
