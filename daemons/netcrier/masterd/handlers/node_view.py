"""What the master knows of single nodes, as its answers show it: state, way, row, life."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from netcrier.control.types.life import LaneLife, NodeLife
from netcrier.control.types.roster import NodeRow
from netcrier.core.master.reach import MISSED
from netcrier.core.master.roster import Node, Roster
from netcrier.core.pacing import SILENCES
from netcrier.errors import NotFoundError, UsageError
from netcrier.masterd.carriers import KINDS, MULTICAST6, UNICAST, Carriers
from netcrier.wire.report import LaneReport

if TYPE_CHECKING:
    from netcrier.core.master.speaker import Speaker

STATES: Final = ("here", "away", "waiting", "revoked", "duplicate")
_LACKING_MOST: Final = 10


def named(roster: Roster, name: str) -> Node:
    """The node of that name or id."""
    found = roster.find(name)
    if not found:
        raise NotFoundError(f"no node is named {name!r}; netctl nodes lists them")
    if len(found) > 1:
        raise UsageError(f"{len(found)} nodes are named {name!r}; name one by its id: netctl nodes --json")
    return found[0]


def seen(node: Node) -> float | None:
    """Epoch seconds when the node was last heard."""
    return node.row.seen_us / 1e6 if node.row.seen_us else None


def state_of(roster: Roster, node: Node, now: float) -> str:
    """One of STATES."""
    if not node.row.approved:
        return "revoked" if node.row.trust == "revoked" else "waiting"
    if roster.double(node, now):
        return "duplicate"
    return "here" if roster.here(node, now) else "away"


def row_of(speaker: Speaker, carriers: Carriers, node: Node, gaps: Mapping[int, int], now: float) -> NodeRow:
    """The node as lists show it. `gaps`: by node, how many messages it will never have."""
    row = node.row
    return NodeRow(
        node=row.id.hex(),
        name=row.name,
        address=row.address,
        state=state_of(speaker.roster, node, now),
        seen=seen(node),
        rtt_ms=None if node.rtt is None else round(node.rtt * 1000, 3),
        behind=sum(row.index in delivery.outstanding for delivery in speaker.deliveries),
        via=_via(carriers, node),
        note="broadcast does not reach it" if row.single_us or node.missed >= MISSED else "",
        tags=dict(row.tags),
        trust=row.trust,
        gaps=gaps.get(row.index, 0),
        successor_of=speaker.roster.before(node),
    )


def life_of(speaker: Speaker, node: Node, row: NodeRow) -> NodeLife:
    """Since when, from where, how far, what it lacks. `row`: the node as lists show it."""
    own = node.row
    lacking = [delivery.message for delivery in speaker.deliveries if own.index in delivery.outstanding]
    return NodeLife(
        row=row,
        joined=own.joined_us / 1e6 or None,
        port=own.port,
        boot=own.boot,
        term=speaker.me.term,
        silent_after_s=SILENCES * speaker.roster.presence,
        single_since=own.single_us / 1e6 or None,
        epoch=node.epoch,
        group_epoch=speaker.keyring.keys.epoch,
        dropped=node.drops,
        solicited=node.solicited,
        lanes=[_lane(speaker, report) for _, report in sorted(node.lanes.items())],
        lacking=[str(message) for message in lacking[:_LACKING_MOST]],
        lacking_count=len(lacking),
    )


def _via(carriers: Carriers, node: Node) -> str:
    """The carrier that reaches the node, as far as its reports and its address tell."""
    kinds = {way.kind for way in carriers.ways}
    listed = any(way.kind == UNICAST and way.address[0] == node.row.address for way in carriers.ways)
    shared = kinds - {UNICAST}
    if node.row.single_us or node.missed >= MISSED or (listed and not node.found):
        return UNICAST
    if ":" in node.row.address and MULTICAST6 in shared:
        return MULTICAST6
    return next((kind for kind in KINDS if kind in shared), UNICAST)


def _lane(speaker: Speaker, report: LaneReport) -> LaneLife:
    sent = speaker.stock.lane(report.lane, report.term).highest
    return LaneLife(lane=report.lane, term=report.term, sent=sent, received=report.received, delivered=report.delivered)
