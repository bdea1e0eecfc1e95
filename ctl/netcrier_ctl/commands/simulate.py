"""Measure a site of many nodes on this machine: how soon the last node has a message, how soon the master knows.

A real masterd and real nodeds run in namespaces that nothing else can see; nothing leaves the machine, and all of it
goes with this command, also on Ctrl-C and after a crash. Ends with 5 where a delivery lacks, came twice or out of
order, or where the master did not know of it within --timeout (5s) of the message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netcrier_ctl.exit_codes import Exit
from netcrier_ctl.lab import Lab
from netcrier_ctl.simulation.memory import memory_place
from netcrier_ctl.simulation.plan import TIMEOUT, Plan, add_plan
from netcrier_ctl.simulation.report import lines_of
from netcrier_ctl.simulation.run import Run
from netcrier_ctl.simulation.site import host_names

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from netcrier_ctl.session import Session


def add(parser: ArgumentParser) -> None:
    """What to simulate."""
    add_plan(parser)


def run(session: Session, args: Namespace) -> Exit:
    """The figures, and whether every delivery was whole."""
    plan = Plan(
        nodes=args.nodes,
        loss=args.loss,
        size=args.size,
        count=args.count,
        interval=args.interval,
        timeout=session.options.timeout or TIMEOUT,
        state_dir=args.state_dir,
    )
    place = plan.state_dir or memory_place(plan)
    with Lab(host_names(plan), place) as lab:
        figures = Run(plan, lab, session.screen.progress).run()
    if session.options.json:
        session.document("simulate", figures)
    else:
        session.screen.lines(lines_of(figures, plan))
    return Exit.DONE if figures.whole else Exit.PARTIAL
