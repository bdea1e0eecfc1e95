"""The configuration in force in the daemons that run here: every key, its value, and with --origin its origin."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from netcrier.control.methods import CONFIG_SHOW
from netcrier.control.types.shared import ConfigValue

from netcrier_ctl.exit_codes import Exit
from netcrier_ctl.render import Column, Style, table
from netcrier_ctl.session import Session


def add(parser: ArgumentParser) -> None:
    """What to do."""
    parser.add_argument("action", choices=("show",), help="show every key")
    parser.add_argument("--origin", action="store_true", help="say where each value comes from")


def run(session: Session, args: Namespace) -> Exit:
    """Of every daemon that runs; with --daemon of one."""
    found: list[tuple[str, list[ConfigValue]]] = []
    for unit in session.running():
        with session.connect(unit) as client:
            found.append((unit, client.call(CONFIG_SHOW).values))
    if session.options.json:
        session.document("config", {"daemons": [{"daemon": unit, "values": values} for unit, values in found]})
        return Exit.DONE
    titles = ("DAEMON", "KEY", "VALUE", "ORIGIN")
    columns = [Column(title) for title in titles[: 4 if args.origin else 3]]
    rows = [[unit, row.key, row.value, row.origin][: len(columns)] for unit, values in found for row in values]
    lines = table(columns, rows)
    session.screen.line(session.screen.styled(lines[0], Style.HEAD))
    session.screen.lines(lines[1:])
    return Exit.DONE
