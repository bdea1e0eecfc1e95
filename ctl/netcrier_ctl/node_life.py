"""One node's life in words: whether it is here and if not why, how it is reached, how far it is, what it lacks."""

from __future__ import annotations

from collections.abc import Iterator

from netcrier.control.types.life import LaneLife, NodeLife

from netcrier_ctl.render import listing, printable, short_id
from netcrier_ctl.units import clock, milliseconds, since, span

_LANES = {0: "queue", 1: "urgent"}


def headline(life: NodeLife, now: float) -> str:
    """`gate-1  here, last heard 3 s ago`."""
    row = life.row
    name = printable(row.name) or short_id(row.node)
    return (
        f"{name}  {_STATES[row.state].format(name=name, silent=since(row.seen, now), after=span(life.silent_after_s))}"
    )


_STATES = {
    "here": "here, last heard {silent} ago",
    "away": "away: silent {silent}, more than {after}; it gets what it lacks when it returns",
    "waiting": "waits to be let in, and gets nothing: netctl node approve {name}",
    "revoked": "shut out, and gets nothing: netctl node approve {name} lets it in again",
    "duplicate": "two machines use its identity: what they say of messages is not counted."
    " Stop one and remove its state: /var/lib/netcrier/noded",
}


def facts(life: NodeLife, now: float) -> Iterator[tuple[str, str]]:
    """(label, text) of all that is known."""
    row = life.row
    joined = f"{clock(life.joined, now)}, " if life.joined is not None else ""
    yield "joined", f"{joined}trust {row.trust}, id {row.node}"
    if row.successor_of:
        yield "", f"a new key under a known name; the old one: netctl node forget {row.successor_of[:8]}"
    trip = f", round trip {milliseconds(row.rtt_ms)}" if row.rtt_ms is not None else ""
    yield "address", f"{row.address} port {life.port}, start {life.boot:,}{trip}"
    yield "carrier", _carrier(life, now)
    if row.state not in ("waiting", "revoked"):
        yield from _progress(life)
    if life.dropped:
        yield "kernel", f"dropped {life.dropped:,} datagrams for want of buffer; they were asked for again"
    if row.tags:
        yield "tags", printable(" ".join(f"{key}={value}" for key, value in sorted(row.tags.items())))


def _carrier(life: NodeLife, now: float) -> str:
    if life.single_since is None:
        return f"{life.row.via}; {life.row.note}" if life.row.note else life.row.via
    reason = "its reports show that broadcast does not reach it"
    return f"{life.row.via} since {clock(life.single_since, now)}: {reason}"


def _progress(life: NodeLife) -> Iterator[tuple[str, str]]:
    if not life.lanes:
        yield "lanes", "it has not reported since the master's start"
    for lane in life.lanes:
        yield _LANES.get(lane.lane, f"lane {lane.lane}"), _lane(lane, life.term)
    if life.lacking_count:
        names = listing([f"#{message}" for message in life.lacking], 10)
        more = f" and {life.lacking_count - len(life.lacking):,} more" if life.lacking_count > len(life.lacking) else ""
        asked = f"; asked {life.solicited:,} times without an answer" if life.solicited > 1 else ""
        yield "lacks", f"{names}{more}{asked}"
    if life.row.gaps:
        yield "gap", f"{life.row.gaps:,} messages were no longer kept when it came back"
    if life.epoch == life.group_epoch:
        yield "key", f"epoch {life.epoch}, the present one"
    else:
        shown = f"epoch {life.epoch}" if life.epoch else "none shown yet"
        yield "key", f"{shown}; the present one is {life.group_epoch}, it asks for it when it hears a beacon"


def _lane(lane: LaneLife, term: int) -> str:
    def name(number: int) -> str:
        return f"#{f'{lane.term}/' * (lane.term > 1)}{'u' * (lane.lane == 1)}{number}"

    if not lane.sent:
        text = "nothing was sent"
    elif lane.received >= lane.sent:
        text = f"has all up to {name(lane.sent)}"
    elif lane.received:
        text = f"has all up to {name(lane.received)} of {lane.sent:,}"
    else:
        text = f"has none of {lane.sent:,}"
    if lane.sent and lane.delivered < min(lane.received, lane.sent):
        text += f", in its log up to {name(lane.delivered)}"
    return f"{text}; finishes term {lane.term} first" if lane.term < term else text
