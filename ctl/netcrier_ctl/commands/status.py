"""How the daemons on this host are: a line for each, what is wrong below. Ends with 3 where none runs."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from netcrier.control.methods import MASTER_STATUS

from netcrier_ctl.complaint import Failure
from netcrier_ctl.exit_codes import Exit
from netcrier_ctl.render import Style, aligned, printable
from netcrier_ctl.session import Session
from netcrier_ctl.summary import below, details, facts
from netcrier_ctl.units import span

WAIT = 3.0
"""Seconds for all daemons together, unless --timeout says otherwise."""

_GAP = "   "
"""Between two facts."""

_RUNNING = "running"
_STATES = {Exit.NOT_RUNNING: "not running", Exit.NOT_PERMITTED: "not permitted", Exit.DEADLINE: "no answer"}
"""What a daemon without a status is."""


class Report(Struct, frozen=True, kw_only=True):
    """What is known of one daemon."""

    daemon: str
    """Its unit, as `noded` or `noded@node2`."""
    running: bool
    """Whether anything listens on its socket."""
    state: str
    """`running`, `not running`, `not permitted`, `no answer` or `failed`."""
    status: Any = None
    """What it answers, as `api.describe` of its `status` says."""
    reason: str | None = None
    """Why there is no status."""
    hint: str | None = None
    """What to do."""


def add(_parser: ArgumentParser) -> None:
    """No arguments of its own."""


def run(session: Session, _args: Namespace) -> Exit:
    """All that run, and what does not."""
    units = session.units()
    wait = (session.options.timeout or WAIT) / len(units)
    outcomes = [_ask(session, unit, wait) for unit in units]
    reports = [report for report, _ in outcomes]
    if session.options.json:
        session.document("status", {"daemons": reports})
    else:
        _show(session, reports)
    codes = [code for _, code in outcomes]
    if Exit.DONE in codes:
        return Exit.DONE
    return next((code for code in codes if code != Exit.NOT_RUNNING), Exit.NOT_RUNNING)


def _ask(session: Session, unit: str, wait: float) -> tuple[Report, Exit]:
    try:
        with session.connect(unit, wait) as client:
            status = client.call(MASTER_STATUS.name)
    except Failure as failure:
        code = failure.code
        report = Report(
            daemon=unit, running=code != Exit.NOT_RUNNING, state=_STATES.get(code, "failed"),
            reason=str(failure), hint=failure.hint,
        )  # fmt: skip
        return report, code
    return Report(daemon=unit, running=True, state=_RUNNING, status=status), Exit.DONE


def _show(session: Session, reports: Sequence[Report]) -> None:
    now, screen = session.now(), session.screen
    for report, line in zip(reports, aligned([_row(report, now) for report in reports], gap=_GAP), strict=True):
        style = Style.GOOD if report.state == _RUNNING else Style.BAD
        screen.line(line.replace(report.state, screen.styled(report.state, style), 1))
        if session.options.verbose:
            screen.lines(f"    {text}" for text in aligned(details(report.status)))
    for report in reports:
        screen.lines(below(report.status, now))
        for warning in getattr(report.status, "warnings", ()):
            screen.line(f"{screen.styled(report.daemon, Style.WARN)}: {printable(warning)}")


def _row(report: Report, now: float) -> list[str]:
    if report.status is not None:
        return [report.daemon, report.state, span(now - report.status.started), _GAP.join(facts(report.status, now))]
    if report.state == _STATES[Exit.NOT_RUNNING]:
        return [report.daemon, report.state, report.hint or ""]
    return [report.daemon, report.state, report.reason or ""]
