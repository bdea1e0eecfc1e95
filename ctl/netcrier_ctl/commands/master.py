"""Make this host's masterd the one that speaks, or give it a new store in place of a broken one."""

from __future__ import annotations

import subprocess
import sys
from argparse import ArgumentParser, Namespace

from netcrier.control.methods import MASTER_STATUS, TAKE_OVER
from netcrier.control.paths import INSTANCE
from netcrier.control.types.master import MasterStatus

from netcrier_ctl.complaint import Failure, start_command
from netcrier_ctl.exit_codes import Exit
from netcrier_ctl.session import Session
from netcrier_ctl.summary import SPEAKING

_LOOK_EVERY = 0.1
"""Seconds between two looks whether masterd has begun anew."""


def add(parser: ArgumentParser) -> None:
    """Which of the two."""
    parser.add_argument(
        "action",
        choices=("take-over", "recover"),
        help="take-over: begin a new term here, whoever speaks; recover: set a lost or broken store aside",
    )


def run(session: Session, args: Namespace) -> Exit:
    """Ends when it is done: with the new term in force, or the new store on disk."""
    return _take_over(session) if args.action == "take-over" else _recover(session)


def _take_over(session: Session) -> Exit:
    unit = session.unit("masterd")
    with session.connect(unit) as client:
        term = client.call(TAKE_OVER).term
    status = _speaking(session, unit, term)
    if session.options.json:
        session.document("master", {"action": "take-over", "term": term, "unknown": status.unknown})
        return Exit.DONE
    session.screen.result(f"this master speaks now, in term {term}; nodes follow within a second")
    if status.unknown:
        names = ", ".join(f"#{one}" for one in status.unknown)
        session.screen.note(f"unknown to this store: nodes had messages up to {names} that it does not have")
    return Exit.DONE


def _speaking(session: Session, unit: str, term: int) -> MasterStatus:
    """The status once masterd has begun anew in the term; Failure where it does not."""
    end = session.clock() + session.timeout
    while True:
        try:
            with session.connect(unit) as client:
                status = client.call(MASTER_STATUS)
            if status.term == term and status.standing == SPEAKING:
                return status
        except Failure as failure:
            if failure.code is not Exit.NOT_RUNNING and failure.code is not Exit.FAILED:
                raise
        if session.clock() > end:
            raise Failure(Exit.DEADLINE, f"{unit} does not speak in term {term} yet", f"netctl status --daemon {unit}")
        session.sleep(_LOOK_EVERY)


def _recover(session: Session) -> Exit:
    unit = session.unit("masterd")
    try:
        with session.connect(unit):
            pass
    except Failure as failure:
        if failure.code is not Exit.NOT_RUNNING:
            raise
    else:
        hint = "for a new term: netctl master take-over"
        raise Failure(Exit.FAILED, f"{unit} runs, so its store is sound", hint)
    instance = unit.partition("@")[2]
    done = subprocess.run(
        [sys.executable, "-m", "netcrier.masterd", "--recover"],
        env={**session.environ, **({INSTANCE: instance} if instance else {})},
        capture_output=True,
        text=True,
        check=False,
    )
    said = (done.stdout or done.stderr).strip().removeprefix("masterd: ")
    if done.returncode:
        raise Failure(Exit.FAILED, said or f"masterd --recover ended with status {done.returncode}")
    if session.options.json:
        session.document("master", {"action": "recover", "done": said})
    else:
        session.screen.result(said)
        session.screen.note(start_command(unit))
    return Exit.DONE
