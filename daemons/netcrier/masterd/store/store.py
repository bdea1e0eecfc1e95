"""The master's store: messages and what became of them, nodes, keys, tokens. Committed before anything is sent."""

from __future__ import annotations

from pathlib import Path

from netcrier.masterd.store.database import Database
from netcrier.masterd.store.group import Group
from netcrier.masterd.store.messages import Messages
from netcrier.masterd.store.outcomes import Outcomes
from netcrier.masterd.store.terms import Terms


class Store:
    """See the module. Written by one thread; what reads may be called by another."""

    def __init__(self, path: Path) -> None:
        self._database = database = Database(path)
        self.terms = Terms(database)
        self.messages = Messages(database)
        self.outcomes = Outcomes(database)
        self.group = Group(database)

    @property
    def lost(self) -> int:
        """Commits that the file has had and has no more."""
        return self._database.lost

    @property
    def empty(self) -> bool:
        """Whether not even a term has begun."""
        return not self._database.read("SELECT 1 FROM meta LIMIT 1")

    @property
    def used(self) -> bool:
        """Whether a node is known or a message was sent."""
        return any(self._database.read(f"SELECT 1 FROM {table} LIMIT 1") for table in ("node", "message"))  # noqa: S608 - ours

    def close(self) -> None:
        """Nothing is pending: every commit was made whole."""
        self._database.close()
