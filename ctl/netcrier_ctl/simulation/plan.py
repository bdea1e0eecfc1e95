"""What to simulate, and the words in which it is asked for. A value out of its range is a usage error."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from netcrier_ctl.options import duration

NODES_MOST = 250
"""Nodes: what the lab's /24 has addresses for, beside the master's."""

SIZE_MOST = 1024 * 1024
COUNT_MOST = 100_000
TIMEOUT = 5.0
"""Seconds in which a message must have its last receipt, as in `netctl broadcast`."""


class Plan(Struct, frozen=True, kw_only=True):
    """One simulation."""

    nodes: int = 10
    loss: float = 0.0
    """Percent of datagrams lost, each way."""
    size: int = 256
    """Bytes of a message."""
    count: int = 100
    """Messages."""
    interval: float | None = None
    """Seconds between two messages; None: each when the one before is complete or its time is over."""
    timeout: float = TIMEOUT
    state_dir: Path | None = None
    """Where the daemons keep their state; None: in memory."""

    @property
    def deliveries(self) -> int:
        """How many there are to be."""
        return self.nodes * self.count


def whole(least: int, most: int) -> Callable[[str], int]:
    """argparse's type of a whole number within bounds."""

    def parse(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise ArgumentTypeError(f"{text!r} is not a number from {least:,} to {most:,}")
        return int(text)

    return parse


def percent(text: str) -> float:
    """argparse's type of a loss: 0 to 99, `5` or `5%`."""
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        value = -1.0
    if not 0 <= value <= 99:
        raise ArgumentTypeError(f"{text!r} is not a percentage from 0 to 99")
    return value


def directory(text: str) -> Path:
    """argparse's type of a directory that exists."""
    path = Path(text)
    if not path.is_dir():
        raise ArgumentTypeError(f"{text!r} is not a directory")
    return path


def add_plan(parser: ArgumentParser) -> None:
    """The arguments of a plan."""
    default = Plan()
    add = parser.add_argument
    add("--nodes", type=whole(1, NODES_MOST), default=default.nodes, metavar="N", help=f"nodes ({default.nodes})")
    add("--loss", type=percent, default=default.loss, metavar="PERCENT", help="datagrams lost, each way (0)")
    add(
        "--size", type=whole(1, SIZE_MOST), default=default.size, metavar="BYTES", help=f"of a message ({default.size})"
    )
    add("--count", type=whole(1, COUNT_MOST), default=default.count, metavar="N", help=f"messages ({default.count})")
    add(
        "--interval", type=duration, metavar="TIME",
        help="between two messages, as 10ms (default: the next when every receipt is in, or after --timeout)",
    )  # fmt: skip
    add(
        "--state-dir", type=directory, metavar="DIR",
        help="keep the daemons' state below it, to see what the disk costs (default: in memory)",
    )  # fmt: skip
