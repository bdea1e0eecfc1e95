"""The group key: which holds, since when, and which nodes lack it; or announce another."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from netcrier.control.methods import KEYS, KEYS_ROTATE
from netcrier.control.types.trust import GroupKeyStatus

from netcrier_ctl.exit_codes import Exit
from netcrier_ctl.render import listing, printable
from netcrier_ctl.session import Session
from netcrier_ctl.units import age, clock, since

_NAMED = 10
"""Nodes that are listed by name; the others are counted."""

_METHODS = {"show": KEYS, "rotate": KEYS_ROTATE}


def add(parser: ArgumentParser) -> None:
    """What to do."""
    parser.add_argument(
        "action", nargs="?", choices=tuple(_METHODS), default="show",
        help="show (without it); rotate: announce another key, which holds 10 s later",
    )  # fmt: skip


def run(session: Session, args: Namespace) -> Exit:
    """The same words for both."""
    with session.connect(session.unit("masterd")) as client:
        keys = client.call(_METHODS[args.action])
    if session.options.json:
        session.document("keys", keys)
    else:
        session.screen.lines(_lines(keys, session.now()))
    return Exit.DONE


def _lines(keys: GroupKeyStatus, now: float) -> list[str]:
    holds = f"epoch {keys.epoch}"
    if keys.since is not None:
        holds += f"   since {clock(keys.since, now)} ({age(now - keys.since)})"
    lines = [f"{holds}   at most {keys.sealed:,} datagrams sealed"]
    if keys.next_epoch is not None and keys.next_in_s is not None:
        lines.append(f"epoch {keys.next_epoch} is announced and holds in {age(keys.next_in_s)}")
    known = keys.holding + keys.lacking_count
    lines.append(f"{keys.holding:,} of {known:,} nodes have the key")
    if keys.lacking:
        names = [f"{printable(node.name)} ({since(node.seen, now)})" for node in keys.lacking]
        names += [""] * (keys.lacking_count - len(names))
        lines.append(f"not yet: {listing(names, _NAMED)}; each gets it when it asks")
    return lines
