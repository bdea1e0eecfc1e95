"""A store that is lost or damaged: told at the start (exit 78), and replaced on command, never silently.

`recover` sets the broken files aside, keeps the identity, and begins a new store with what can still be read of the old
one: group key, nodes, tokens. The master then listens, asks the nodes, and begins a term above all that they know of.
Without the old key the new one is of an epoch that no node has, and the group is closed: who was in it waits for
approval, unless the node's row could be read.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar

import msgspec

from netcrier.core.events import NodeRow
from netcrier.core.master.admission import Grant
from netcrier.core.master.keyring import GroupKeys
from netcrier.errors import DamageError, StoreError, UsageError
from netcrier.masterd import identity
from netcrier.masterd.identity import Identity
from netcrier.masterd.store.store import Store
from netcrier.masterd.store.terms import FIRST_TERM
from netcrier.masterd.store.whereabouts import lock
from netcrier.runtime.store import BESIDE, aside_of, set_aside
from netcrier.wire.envelope import KEY_SIZE

STORE: Final = "store.sqlite"
IDENTITY: Final = "identity"
_HINT: Final = "netctl master recover sets it aside and begins a new term under the same identity"
_T = TypeVar("_T")


def open_sound(state_dir: Path) -> tuple[Store, Identity]:
    """Store and identity, both made at the first start. DamageError where one of them is lost or damaged."""
    path, known = state_dir / STORE, (state_dir / IDENTITY).exists()
    if known and not _written(path):
        raise DamageError(f"the store {path} is lost: {_HINT}")
    try:
        store = Store(path)
    except DamageError as error:
        raise DamageError(f"{error}. Restore it from a backup; or: {_HINT}") from error
    fault = _fault_of(store, known, path)
    if fault:
        store.close()
        raise DamageError(fault)
    if not known:
        store.terms.begin(FIRST_TERM, None, [])  # before the identity: beside one a store is never empty
    return store, identity.load_or_make(state_dir / IDENTITY)


def _fault_of(store: Store, known: bool, path: Path) -> str:
    """What is wrong with it; empty where nothing is. `known`: there is an identity."""
    if known and store.empty:
        return f"the store {path} is empty: {_HINT}"
    if known and store.lost:
        cause = "its write-ahead log was cut, or an older copy was put in its place"
        return f"the store {path} lacks its newest {store.lost:,} commits ({cause}): {_HINT}"
    if not known and store.used:
        return (
            f"the identity {path.with_name(IDENTITY)} is lost: restore it from a backup, or no node follows this"
            " master; netctl master recover begins a new group"
        )
    return ""


def recover(state_dir: Path) -> str:
    """What was done; UsageError where nothing is broken. As root it acts as the owner of the directory."""
    _become_owner(state_dir)
    holder = lock(state_dir)
    try:
        try:
            store, _ = open_sound(state_dir)
            store.close()
        except DamageError:
            return _go_on(state_dir / STORE) or _replace(state_dir)
        raise UsageError(f"the store {state_dir / STORE} is sound; for a new term: netctl master take-over")
    finally:
        os.close(holder)


def _go_on(path: Path) -> str:
    """Where commits are lost and all else is sound: keep the rest, and a copy; empty where it is not so."""
    if not _written(path):
        return ""
    try:
        store = Store(path)
    except StoreError:
        return ""
    lost = store.lost
    if store.empty or not lost:
        store.close()
        return ""
    aside = aside_of(path)
    for end in BESIDE[:2]:
        source = path.with_name(path.name + end)
        if source.exists():
            shutil.copyfile(source, aside.with_name(aside.name + end))
    store.terms.go_on()
    store.close()
    return (
        f"the store goes on without its newest {lost:,} commits, a copy is {aside.name}; a new term begins when masterd"
        " starts, above all that nodes have heard"
    )


def _replace(state_dir: Path) -> str:
    path = state_dir / STORE
    moved = path.exists()
    aside = set_aside(path)
    old = _Remains(aside) if moved else None
    keys = old.keys() if old else None
    rows, grants = (old.rows("node", "row", NodeRow), old.rows("grant_", "value", Grant)) if old else ([], [])
    store = Store(path)
    if (state_dir / IDENTITY).exists():
        store.terms.replace_lost(
            old.number("term", FIRST_TERM) if old else FIRST_TERM,
            (old.number("boot", 0) if old else 0) + 1,
            keys or GroupKeys(_fresh_epoch(), os.urandom(KEY_SIZE), open=False),
            rows,
            grants,
        )
    store.close()
    kept = f"{len(rows)} nodes and {'the group key' if keys else 'no group key'} could be read from it"
    where = f"the broken store is {aside.name} now, {kept}" if moved else "there was no store to set aside"
    return f"{where}; a new term begins when masterd starts, above all that nodes have heard"


class _Remains:
    """What SQLite still reads of a broken store; nothing where it reads nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._meta: dict[Any, Any] = dict(self._all("SELECT key, value FROM meta"))

    def number(self, key: str, default: int) -> int:
        """A number of the table `meta`."""
        value = self._meta.get(key)
        return value if isinstance(value, int) and 0 < value < 1 << 32 else default

    def keys(self) -> GroupKeys | None:
        """The group key."""
        secret = self._meta.get("key")
        if not isinstance(secret, bytes) or len(secret) != KEY_SIZE or not self.number("epoch", 0):
            return None
        return GroupKeys(self.number("epoch", 0), secret, bool(self._meta.get("open", 0)))

    def rows(self, table: str, column: str, kind: type[_T]) -> list[_T]:
        """The values of a table that are whole."""
        found = []
        for (value,) in self._all(f"SELECT {column} FROM {table}"):  # noqa: S608 - ours
            try:
                found.append(msgspec.msgpack.decode(value, type=kind))
            except (msgspec.MsgspecError, TypeError):
                continue
        return found

    def _all(self, query: str) -> list[tuple[Any, ...]]:
        """The rows up to the damage, from a copy: to read a write-ahead log SQLite changes it."""
        found: list[tuple[Any, ...]] = []
        with TemporaryDirectory(dir=self._path.parent) as scratch, suppress(sqlite3.Error):
            for end in BESIDE[:2]:
                source = self._path.with_name(self._path.name + end)
                if source.exists():
                    shutil.copyfile(source, f"{scratch}/{STORE}{end}")
            database = sqlite3.connect(f"{scratch}/{STORE}")
            try:
                database.execute("PRAGMA writable_schema = ON")  # reads on where the file is shorter than it says
                for row in database.execute(query):
                    found.append(row)
            finally:
                database.close()
        return found


def _fresh_epoch() -> int:
    """An epoch that no group key has had, where none is known: seconds since 1970."""
    return int(time.time())


def _written(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


def _become_owner(state_dir: Path) -> None:
    owner = state_dir.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)
