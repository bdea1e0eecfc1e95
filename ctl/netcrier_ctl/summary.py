"""A daemon's status in words: the facts of its line, what is said below it, and the details of -v."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from netcrier.control.types.analyzer import AnalyzerStatus, Captured
from netcrier.control.types.master import Carrier, LastMessage, MasterStatus, SendRate
from netcrier.control.types.node import HandlersAtWork, NodeStatus

from netcrier_ctl.render import aligned, listing, printable, short_id
from netcrier_ctl.units import age, milliseconds, since

SPEAKING = "speaking"
"""The standing of the one master of an identity that sends."""


def facts(status: Any, now: float) -> list[str]:
    """What a daemon's line says behind its uptime."""
    return _FACTS[type(status)](status, now) if type(status) in _FACTS else []


def below(status: Any, now: float) -> list[str]:
    """What needs a line of its own: who is away, who waits, which handler failed."""
    if isinstance(status, NodeStatus):
        return _failures(status.handlers, now)
    if not isinstance(status, MasterStatus) or status.standing != SPEAKING:
        return []
    lines = []
    if status.away:
        names = [f"{printable(node.name)} ({since(node.seen, now)})" for node in status.away]
        away = f"{status.nodes.away:,} node{' is' if status.nodes.away == 1 else 's are'} away"
        lines.append(f"{away}: {listing(names, 3)}.  netctl nodes --away")
    if status.nodes.waiting:
        lines.append(f"{_nodes(status.nodes.waiting)} to be let in.  netctl nodes; netctl node approve NAME")
    if status.nodes.revoked:
        verb = "node is" if status.nodes.revoked == 1 else "nodes are"
        lines.append(f"{status.nodes.revoked:,} {verb} shut out.  netctl nodes")
    if status.nodes.duplicate:
        lines.append(f"{status.nodes.duplicate:,} identities are used by two machines each.  netctl nodes")
    return lines


def _failures(handlers: HandlersAtWork, now: float) -> list[str]:
    last = handlers.last_failure
    if last is None:
        return []
    newest = f"{printable(last.handler)} for #{last.message}, {age(now - last.at)} ago: {printable(last.reason)}"
    runs = "run" if handlers.failures == 1 else "runs"
    return [f"{handlers.failures:,} {runs} of handlers failed, the last of {newest}"]


def details(status: Any) -> list[list[str]]:
    """For -v: rows of name and value; what is plain and not empty is shown as it is, counters one by one."""
    rows = []
    for name in status.__struct_fields__ if status is not None else ():
        value = getattr(status, name)
        if isinstance(value, dict):
            rows += [[f"{name}.{key}", f"{number:,}"] for key, number in sorted(value.items()) if number]
        elif isinstance(value, str | int | float) and name not in _SHOWN and value != "":
            rows.append([name.replace("_", " "), ("no", "yes")[value] if isinstance(value, bool) else str(value)])
    if isinstance(status, NodeStatus):
        at_work = status.handlers
        rows += [[f"handlers.{name}", f"{getattr(at_work, name):,}"] for name in ("running", "waiting", "failures")]
    if isinstance(status, MasterStatus):
        rows.append(["rate", rate_text(status.rate)])
        rows += [["carrier", text] for text in _carriers(status.carriers)]
        rows += [["unknown to this store", f"up to #{one}"] for one in status.unknown]
    if isinstance(status, AnalyzerStatus):
        rows += [["interface", _captured(one)] for one in status.interfaces]
        rows += [["left out", name] for name in status.left_out]
    return rows


def _captured(one: Captured) -> str:
    away = "" if one.present else ", not there"
    return f"{one.name}  {one.packets_per_s:,.0f} pkt/s, {one.analysed:,} analysed, {one.dropped:,} dropped{away}"


_SHOWN = frozenset({"started"})
"""Fields that the line has already said."""


_LISTED_MOST = 3
"""Listed nodes that are shown one by one."""


def _carriers(carriers: Sequence[Carrier]) -> list[str]:
    """A line for each: the interface, what it carries, where to; many listed nodes are one line."""
    listed = [c for c in carriers if not c.interface]
    lines = aligned([[c.interface, c.kind, c.address] for c in carriers if c.interface])
    if len(listed) > _LISTED_MOST:
        return [*lines, f"unicast to {len(listed):,} listed nodes"]
    return [*lines, *(f"{c.kind} to {c.address}" for c in listed)]


def _nodes(count: int) -> str:
    return f"{count:,} node waits" if count == 1 else f"{count:,} nodes wait"


def _master(status: MasterStatus, now: float) -> list[str]:
    nodes = status.nodes
    if status.standing != SPEAKING:
        return [f"group {status.group}", f"{status.standing}: says nothing", f"term {status.term}, boot {status.boot}"]
    here = f"{nodes.here:,} of {nodes.known:,} nodes here" if nodes.known else "no node yet"
    rate = [f"rate {rate_text(status.rate)}"] if status.rate.loss_percent is not None else []
    return [f"group {status.group}", here, _last_sent(status.last, now), *rate]


def rate_text(rate: SendRate) -> str:
    """How fast long messages go, and why."""
    loss = rate.loss_percent
    why = "start" if loss is None else f"loss {loss:.2g} % at the 90th percentile" if loss else "no loss"
    return f"{rate.mbit_s:.{0 if rate.mbit_s >= 10 else 1}f} Mbit/s ({why})"


def _last_sent(last: LastMessage | None, now: float) -> str:
    if last is None:
        return "nothing sent yet"
    time = f" in {milliseconds(last.complete_ms)}" if last.complete_ms is not None else f", {age(now - last.sent)} ago"
    return f"last #{last.id}, {last.received:,} of {last.expected:,}{time}"


def _node(status: NodeStatus, now: float) -> list[str]:
    who = f"master {short_id(status.master)} ({_STATES.get(status.state, status.state)})" if status.master else None
    said = [who or "no master heard yet"]
    if status.last is not None:
        said.append(f"last #{status.last.id}, {age(now - status.last.received)} ago")
    else:
        said.append("nothing received yet")
    if status.behind:
        said.append(f"{status.behind:,} behind")
    if status.handlers.waiting:
        said.append(f"{status.handlers.waiting:,} wait for handlers")
    return said


def _analyzer(status: AnalyzerStatus, _now: float) -> list[str]:
    names = [interface.name for interface in status.interfaces]
    facts = [
        listing(names, 3) if names else "no interface is captured",
        f"{status.packets_per_s:,.0f} pkt/s",
        f"{status.conversations:,} conversation{'' if status.conversations == 1 else 's'}",
        f"{status.dropped:,} dropped",
    ]
    return [*facts, f"{status.lost:,} lines lost"] if status.lost else facts


_STATES = {"waiting": "waiting to be let in", "listening": "not heard yet"}

_FACTS: Mapping[type, Callable[[Any, float], list[str]]] = {
    MasterStatus: _master,
    NodeStatus: _node,
    AnalyzerStatus: _analyzer,
}
