"""The options that every command takes, before or after its name, and where the command's name is among them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from msgspec import Struct
from netcrier.control.paths import DAEMONS

from netcrier_ctl.units import seconds_of

TIMEOUT = 10.0
"""Seconds in which a daemon must answer, unless --timeout says otherwise."""

TAKES_VALUE = frozenset({"--color", "--timeout", "--socket", "--daemon"})


class Options(Struct, frozen=True, kw_only=True):
    """What --json, -q, -v, --color, --timeout, --socket and --daemon say."""

    json: bool = False
    quiet: bool = False
    verbose: bool = False
    color: str = "auto"
    """`auto`, `always` or `never`."""
    timeout: float | None = None
    """Seconds; None: the command's own."""
    socket: str | None = None
    """A control socket's path."""
    daemon: str | None = None
    """`noded`, or `noded@node2` for an instance."""


class HelpText(argparse.HelpFormatter):
    """argparse's, as wide as the terminal; finds the width without importing `shutil`."""

    def __init__(self, prog: str) -> None:
        try:
            columns = os.get_terminal_size().columns
        except OSError:
            columns = 100
        super().__init__(prog, max_help_position=28, width=max(60, min(columns, 120)) - 2)


def duration(text: str) -> float:
    """argparse's type of a duration, in seconds."""
    try:
        return seconds_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def unit(text: str) -> str:
    """argparse's type of a daemon's name."""
    name, at, instance = text.removesuffix(".service").partition("@")
    if name not in DAEMONS or (at and not instance) or "/" in instance:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(DAEMONS)}, or one of them with @INSTANCE")
    return f"{name}{at}{instance}"


def count(text: str) -> int:
    """argparse's type of a number of rows, 0 to 1000."""
    if not text.isdecimal() or int(text) > 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1000")
    return int(text)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of every command."""
    group = parser.add_argument_group("everywhere")
    group.add_argument("--json", action="store_true", help="JSON for programs; streams as one object a line")
    group.add_argument("-q", "--quiet", action="store_true", help="no notes and no progress")
    group.add_argument("-v", "--verbose", action="store_true", help="more detail")
    group.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="auto: on a terminal")
    group.add_argument("--timeout", type=duration, metavar="TIME", help=f"wait so long, as 500ms or 5s ({TIMEOUT:g}s)")
    group.add_argument("--socket", metavar="PATH", help="the control socket to talk to")
    group.add_argument("--daemon", type=unit, metavar="NAME", help="the daemon to talk to, as noded or noded@node2")


def options_of(args: argparse.Namespace) -> Options:
    """What was parsed."""
    return Options(
        json=args.json,
        quiet=args.quiet,
        verbose=args.verbose,
        color=args.color,
        timeout=args.timeout,
        socket=args.socket,
        daemon=args.daemon,
    )


def command_at(arguments: Sequence[str]) -> int | None:
    """The index of the command's name: the first argument that is neither an option nor an option's value."""
    skip = False
    for index, argument in enumerate(arguments):
        if skip:
            skip = False
        elif argument in TAKES_VALUE:
            skip = True
        elif not argument.startswith("-"):
            return index
    return None
