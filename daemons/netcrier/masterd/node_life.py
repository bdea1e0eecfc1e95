"""What the master knows of one node: since when, from where, how far, what it lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netcrier.control.types.life import LaneLife, NodeLife
from netcrier.control.types.roster import NodeRow
from netcrier.core.master.roster import Node
from netcrier.core.pacing import SILENCES
from netcrier.wire.report import LaneReport

if TYPE_CHECKING:
    from netcrier.core.master.speaker import Speaker

_LACKING_MOST = 10


def life_of(speaker: Speaker, node: Node, row: NodeRow) -> NodeLife:
    """`row`: the node as lists show it."""
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


def _lane(speaker: Speaker, report: LaneReport) -> LaneLife:
    sent = speaker.stock.lane(report.lane, report.term).highest
    return LaneLife(lane=report.lane, term=report.term, sent=sent, received=report.received, delivered=report.delivered)
