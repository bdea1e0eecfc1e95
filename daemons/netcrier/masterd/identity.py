"""Who the master is: its two keys and its group, made at the first start. One file, mode 0600.

Whoever has this file can speak for the master; a lost one means a new group. Back it up with the store.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from netcrier.errors import StoreError
from netcrier.ids import GROUP_ID_SIZE, GroupId
from netcrier.runtime.secret_file import read_secret, write_secret


class Identity(msgspec.Struct, frozen=True):
    """The file's content, as JSON with base64."""

    signing_secret: bytes
    agreement_secret: bytes
    group: GroupId


def load_or_make(path: Path) -> Identity:
    """The identity, on disk. StoreError where the file is damaged."""
    content = read_secret(path)
    if content is None:
        made = Identity(os.urandom(32), os.urandom(32), GroupId(os.urandom(GROUP_ID_SIZE)))
        write_secret(path, msgspec.json.encode(made))
        return made
    try:
        return msgspec.json.decode(content, type=Identity)
    except msgspec.MsgspecError as error:
        raise StoreError(f"{path} is damaged: {error}. Restore it from a backup.") from error
