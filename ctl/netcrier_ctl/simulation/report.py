"""The figures of a simulation: as JSON (`netctl.simulate/1`) and as lines for people."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from netcrier_ctl.render import Column, table
from netcrier_ctl.simulation.plan import Plan
from netcrier_ctl.units import milliseconds, size


class Spread(Struct, frozen=True):
    """Percentiles over the messages, in milliseconds; None where no message has the value."""

    p50: float | None
    p99: float | None
    max: float | None


class Figures(Struct, frozen=True, kw_only=True):
    """What is printed with --json; keys are only added."""

    deliveries: int
    """A delivery is one message at one node."""
    delivered: int
    """Deliveries that are in the nodes' logs."""
    duplicates: int
    """Lines of the nodes' logs beyond one for each delivery."""
    false_missing: int
    """Deliveries that the node had logged and the master did not know of when the message's time was over."""
    last_delivery_ms: Spread
    """From the call of `broadcast` until the last node had logged the message."""
    last_receipt_ms: Spread
    """From the call of `broadcast` until the master had the last receipt."""
    datagrams: int
    """Sent by all hosts; a broadcast is one."""
    bytes: int
    """That left the hosts, with all headers."""
    cpu_s: float
    """Of all daemons, from the first message to the last receipt."""
    out_of_order: int
    """Lines of the nodes' logs that came after a later message."""
    incomplete: int
    """Messages without every receipt when their time was over."""
    nodes: int
    loss_percent: float
    size: int
    messages: int
    duration_s: float
    """From the first message to the end."""
    start_s: float
    """Until every node was enrolled and heard."""
    master_cpu_s: float
    """The master's part of cpu_s."""
    master_resident_kib: int
    node_resident_kib: int
    """Of the largest node; pages that the nodes share are counted too."""

    @property
    def whole(self) -> bool:
        """Whether every delivery came once, in order, and the master knew it in time."""
        faults = self.duplicates, self.false_missing, self.out_of_order, self.incomplete
        return self.delivered == self.deliveries and not any(faults)


def spread_of(seconds: Sequence[float]) -> Spread:
    """Nearest-rank percentiles."""
    if not seconds:
        return Spread(None, None, None)
    ordered = sorted(seconds)
    ranks = (50, 99, 100)
    return Spread(*(round(ordered[max(0, -(-len(ordered) * rank // 100) - 1)] * 1000, 3) for rank in ranks))


def lines_of(figures: Figures, plan: Plan) -> list[str]:
    """A table and three lines."""
    state = "in memory" if plan.state_dir is None else f"in {plan.state_dir}"
    rows = [
        [name, *(milliseconds(value) for value in (spread.p50, spread.p99, spread.max))]
        for name, spread in (("last delivery", figures.last_delivery_ms), ("last receipt", figures.last_receipt_ms))
    ]
    each = max(1, figures.delivered)
    share = f"{figures.datagrams / each:.2f} and {size(round(figures.bytes / each))} for each delivery"
    faults = f"{figures.out_of_order:,} out of order, {figures.false_missing:,} falsely missing"
    cost = f"{figures.cpu_s / each * 1000:.2f} ms for each delivery"
    heading = f"{plan.count:,} messages of {plan.size:,} bytes to {plan.nodes} nodes, {plan.loss:g} % lost each way"
    return [
        f"{heading}, state {state}; up in {figures.start_s:.1f} s, took {figures.duration_s:.1f} s",
        "",
        *table([Column(""), *(Column(title, right=True) for title in ("P50", "P99", "MAX"))], rows),
        "",
        f"delivered    {figures.delivered:,} of {figures.deliveries:,}: {figures.duplicates:,} twice, {faults}",
        f"on the wire  {figures.datagrams:,} datagrams, {size(figures.bytes)}: {share}",
        f"CPU          {figures.cpu_s:.2f} s: {cost}, the master's part {figures.master_cpu_s / each * 1000:.2f} ms",
    ]
