"""The versions of netctl and of the daemons that run here."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from netcrier import __version__
from netcrier.control.types.shared import PROTOCOL

from netcrier_ctl.complaint import Failure
from netcrier_ctl.exit_codes import Exit
from netcrier_ctl.render import aligned
from netcrier_ctl.session import Session


def add(_parser: ArgumentParser) -> None:
    """No arguments of its own."""


def run(session: Session, _args: Namespace) -> Exit:
    """A line for each; a daemon that does not run is left out."""
    found = []
    for unit in session.units():
        try:
            with session.connect(unit) as client:
                found.append((unit, client.welcome))
        except Failure as failure:
            if failure.code is not Exit.NOT_RUNNING:
                session.screen.complain(str(failure), failure.hint)
    if session.options.json:
        daemons = [{"daemon": unit, "version": w.version, "protocol": w.protocol, "pid": w.pid} for unit, w in found]
        session.document("version", {"version": __version__, "protocol": PROTOCOL, "daemons": daemons})
        return Exit.DONE
    rows = [["netctl", __version__]]
    for unit, welcome in found:
        other = "" if welcome.version == __version__ else f"  restart {unit} to run {__version__}"
        rows.append([unit, f"{welcome.version}{other}"])
    session.screen.lines(aligned(rows))
    return Exit.DONE
