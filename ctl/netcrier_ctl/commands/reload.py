"""Make the daemons that run here read their configuration again. One that refuses its file keeps what it has."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from netcrier.control.methods import RELOAD
from netcrier.control.types.shared import Reloaded

from netcrier_ctl.complaint import Failure
from netcrier_ctl.exit_codes import Exit
from netcrier_ctl.session import Session


def add(_parser: ArgumentParser) -> None:
    """No arguments of its own."""


def run(session: Session, _args: Namespace) -> Exit:
    """Every daemon is asked, also after one that fails; then the first failure is the exit status."""
    found: list[tuple[str, Reloaded]] = []
    failed = Exit.DONE
    for unit in session.running():
        try:
            with session.connect(unit) as client:
                found.append((unit, client.call(RELOAD)))
        except Failure as failure:
            session.screen.complain(str(failure), failure.hint)
            failed = failed or failure.code
    if session.options.json:
        rows = [{"daemon": u, "changed": r.changed, "needs_restart": r.needs_restart} for u, r in found]
        session.document("reload", {"daemons": rows})
        return failed
    for unit, reloaded in found:
        session.screen.result(f"{unit}  {_words(reloaded)}")
    return failed


def _words(reloaded: Reloaded) -> str:
    said = f"changed: {', '.join(reloaded.changed)}" if reloaded.changed else "nothing changed"
    return f"{said}; waits for a restart: {', '.join(reloaded.needs_restart)}" if reloaded.needs_restart else said
