"""A journal that is damaged, lost, or older than the log: told, set aside, and replaced by a new one.

The new one begins where the log ends. With it the node says hello before it accepts anything, and the master gives it
what it has not acknowledged. What had been acknowledged and was not yet in the log is lost with the damaged file. An
older journal may not go on: it would give the same numbers to other messages.
"""

from __future__ import annotations

from pathlib import Path

from netcrier.errors import DamageError
from netcrier.noded.journal.journal import Journal
from netcrier.runtime.store import set_aside


def open_sound(path: Path, logged: int, first: bool) -> tuple[Journal, str]:
    """The journal, and what is to be told of it, or nothing. `logged`: the number in the log's last line; `first`:
    whether the node has never started before. StoreError where the disk refuses."""
    existed = path.exists()
    try:
        journal = Journal(path)
    except DamageError as error:
        why = f"was damaged: {error}"
    else:
        if journal.newest >= logged and (existed or first):
            return journal, ""
        if not existed:
            journal.begin_at(logged)
            return journal, "" if first else f"the journal was lost; {_AGAIN}"
        why = f"ended at {journal.newest}, before the log's last line, {logged}"
        journal.close()
    aside = set_aside(path)
    journal = Journal(path)
    journal.begin_at(logged)
    return journal, f"the journal {why}; it is set aside as {aside.name}; {_AGAIN}"


_AGAIN = "the master gives again what this node had not acknowledged"
