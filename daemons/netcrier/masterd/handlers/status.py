"""masterd's status: how the master and its nodes are, and what the operator should know."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from netcrier.control.types.master import AwayNode, Carrier, LastMessage, MasterStatus, NodeCounts, SendRate
from netcrier.core.master.rate import Rate
from netcrier.ids import MessageId
from netcrier.masterd.handlers.node_view import STATES, seen, state_of
from netcrier.masterd.store.outcomes import expected, received
from netcrier.runtime.udp import RECEIVE_BUFFER
from netcrier.runtime.version import VERSION
from netcrier.wire.limits import SINGLES_MAX

if TYPE_CHECKING:
    from netcrier.masterd.app import App

_AWAY_MOST: Final = 100


def status_of(app: App, now: float) -> MasterStatus:
    """All of it. `now` in seconds of the loop's clock."""
    speaker, me = app.speaker, app.speaker.me
    states = [(state_of(speaker.roster, node, now), node) for node in speaker.roster]
    count = {name: sum(state == name for state, _ in states) for name in STATES}
    away = sorted((node for state, node in states if state == "away"), key=lambda node: node.row.seen_us)
    return MasterStatus(
        version=VERSION,
        pid=os.getpid(),
        started=app.started,
        group=me.group_name,
        group_id=me.group.hex(),
        master=speaker.id.hex(),
        open=speaker.admission.keys.open,
        enrolment=app.config.enrolment,
        epoch=speaker.admission.keys.epoch,
        term=me.term,
        boot=me.boot,
        nodes=NodeCounts(known=count["here"] + count["away"], **count),
        last=_last(app),
        away=[AwayNode(node.row.name, seen(node)) for node in away[:_AWAY_MOST]],
        carriers=[Carrier(kind=w.kind, interface=w.interface, address=str(w)) for w in app.carriers.ways],
        window_ms=speaker.window * 1000,
        rate=_rate(speaker.repair.transfers.rate),
        counters={
            "repaired": speaker.repair.repeated + speaker.repair.transfers.repaired,
            "caught up": speaker.stock.caught_up,
            **app.port.counters,
            **speaker.refused,
        },
        warnings=_warnings(app),
        standing=speaker.tenure.standing.value,
        standing_reason=speaker.tenure.why,
        unknown=[str(MessageId(*one)) for one in speaker.tenure.unknown or app.store.terms.unknown],
        neighbours=speaker.neighbours.count(now),
    )


def _last(app: App) -> LastMessage | None:
    newest = app.broadcasts.newest
    stored = app.store.messages.find(newest) if newest else None
    if stored is None:
        return None
    delivery = app.speaker.deliveries.get(stored.id)
    if delivery:
        awaited, there = delivery.expected, delivery.received
    else:
        outcomes = app.store.outcomes.of(stored.number)
        awaited, there = expected(outcomes), received(outcomes)
    after = app.broadcasts.completed.get(stored.id)
    return LastMessage(
        id=str(stored.id),
        sent=stored.sent_us / 1e6,
        expected=awaited,
        received=there,
        complete_ms=None if after is None else round(after * 1000, 3),
    )


def _rate(rate: Rate) -> SendRate:
    return SendRate(
        mbit_s=round(rate.bits / 1e6, 1), loss_percent=None if rate.loss is None else round(rate.loss * 100, 2)
    )


def _warnings(app: App) -> list[str]:
    found = []
    tenure = app.speaker.tenure
    if not tenure.speaking:
        found.append(f"this master does not speak: {tenure.why}")
    if unknown := tenure.unknown or app.store.terms.unknown:
        names = ", ".join(f"#{MessageId(*one)}" for one in unknown)
        found.append(f"unknown to this store: nodes had messages up to {names} that it does not have")
    if app.speaker.refused["number not in this store"]:
        found.append("nodes have numbers that this store lacks; where it is an older copy: netctl master take-over")
    if app.speaker.admission.keys.open and tenure.speaking:
        found.append("the group is open: anyone on this LAN can read and join; netctl token closes it")
    if not app.carriers.ways:
        found.append("no interface can broadcast or multicast and no node is listed: nothing is reached")
    found += [f"carriers: {reason}" for reason in app.carriers.lacking]
    if beyond := app.speaker.herald.reach.beyond:
        found.append(
            f"broadcast does not reach {beyond} more nodes than the {SINGLES_MAX} that are served one by one:"
            " list them (nodes), or give their network a carrier that reaches it"
        )
    if app.store_error:
        found.append(f"{app.store_error}: broadcasts are refused, {_in_memory(app)}")
    if app.port.buffer < RECEIVE_BUFFER:
        found.append(f"receive buffer {app.port.buffer} bytes: sysctl -w net.core.rmem_max={RECEIVE_BUFFER}")
    if app.port.drops:
        found.append(f"the kernel dropped {app.port.drops} datagrams for want of buffer; they are asked for again")
    found += _lacking(app.store.outcomes.gaps())
    found += [f"sending fails: {name} ({count} times)" for name, count in app.port.errors.items()]
    return found


def _in_memory(app: App) -> str:
    """What waits while the store refuses."""
    waiting = f"{app.receipts.waiting:,} receipts wait in memory"
    return f"{waiting} and no more are taken; nodes repeat them" if app.speaker.overfull else waiting


def _lacking(gaps: Mapping[int, int]) -> list[str]:
    """Of nodes that came back too late."""
    nodes = "1 node lacks" if len(gaps) == 1 else f"{len(gaps)} nodes lack"
    return [f"{nodes} messages that are no longer kept: netctl nodes"] if gaps else []
