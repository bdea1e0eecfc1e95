"""The command among the arguments: found, parsed and run; its end is one of `exit_codes`.

Only the module of the command that is used is imported.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import BinaryIO, NoReturn, Protocol, TextIO, cast

from netcrier.errors import ConfigError, NetcrierError, UsageError

from netcrier_ctl.commands import COMMANDS
from netcrier_ctl.complaint import Failure, complaint
from netcrier_ctl.exit_codes import Exit
from netcrier_ctl.options import HelpText, Options, add_options, command_at, options_of
from netcrier_ctl.render import wants_color
from netcrier_ctl.screen import Screen
from netcrier_ctl.session import Session


class Command(Protocol):
    """What a module in `commands` has."""

    add: Callable[[argparse.ArgumentParser], None]
    run: Callable[[Session, argparse.Namespace], Exit]


class OverviewText(HelpText, argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of the list of commands."""


class Parser(argparse.ArgumentParser):
    """argparse's, with complaints in the form of all others."""

    def error(self, message: str) -> NoReturn:
        """Ends the program with exit status 2."""
        self.exit(Exit.USAGE, complaint(message, f"{self.prog} --help") + "\n")


def start(words: Sequence[str], environ: Mapping[str, str], stdin: BinaryIO, out: TextIO, err: TextIO) -> Exit:
    """Parse and run. Raises SystemExit as argparse does, BrokenPipeError, and KeyboardInterrupt."""
    command, args = parsed(words)
    options = options_of(args)
    session = Session(options, screen_of(options, environ, out, err), environ, stdin)
    return run(command, session, args)


def parsed(words: Sequence[str]) -> tuple[Command, argparse.Namespace]:
    """The command's module and the arguments. Raises SystemExit: help (0) or usage (2)."""
    at = command_at(words)
    if at is None:
        if _overview().parse_args(words).version:
            return parsed(["version", *(word for word in words if word != "--version")])
        _overview().error("a command is missing")
    name = words[at]
    if name not in COMMANDS:
        _overview().error(f"there is no command {name!r}{_nearest(name)}")
    command = cast("Command", import_module(f"netcrier_ctl.commands.{name}"))
    parser = Parser(f"netctl {name}", description=command.__doc__, formatter_class=HelpText, allow_abbrev=False)
    command.add(parser)
    add_options(parser)
    return command, parser.parse_args([*words[:at], *words[at + 1 :]])


def run(command: Command, session: Session, args: argparse.Namespace) -> Exit:
    """The command's exit status; what goes wrong is said on standard error."""
    screen = session.screen
    try:
        code = command.run(session, args)
        screen.flush()
    except Failure as failure:
        screen.complain(str(failure), failure.hint)
        return failure.code
    except (UsageError, ConfigError) as error:
        screen.complain(str(error))
        return Exit.USAGE
    except BrokenPipeError:
        raise
    except (NetcrierError, OSError) as error:
        screen.complain(str(error))
        return Exit.FAILED
    return code


def screen_of(options: Options, environ: Mapping[str, str], out: TextIO, err: TextIO) -> Screen:
    """The screen that the options and NO_COLOR ask for."""
    color = wants_color(options.color, out.isatty(), environ.get("NO_COLOR"))
    return Screen(out, err, options, color, time.monotonic)


def _overview() -> Parser:
    width = max(map(len, COMMANDS))
    listed = "\n".join(f"  {name.ljust(width)}  {text}" for name, text in COMMANDS.items())
    parser = Parser(
        "netctl",
        usage="netctl [options] COMMAND ...",
        description=f"Drives the daemons of Netcrier on this host.\n\ncommands:\n{listed}",
        epilog="netctl COMMAND --help tells more of one.",
        formatter_class=OverviewText,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="as the command")
    add_options(parser)
    return parser


def _nearest(name: str) -> str:
    from difflib import get_close_matches

    found = get_close_matches(name, COMMANDS, 1)
    return f"; did you mean {found[0]!r}?" if found else ""
