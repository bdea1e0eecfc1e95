"""masterd's answers on the control socket: request in, reply out."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from netcrier.control.server import Caller
from netcrier.control.types.broadcast import (
    BroadcastRequest,
    ReceiptRow,
    Receipts,
    ReceiptsRequest,
    Sent,
    SentMessages,
    SentMessagesRequest,
    SentRow,
)
from netcrier.control.types.life import NodeLife
from netcrier.control.types.master import AwayNode, Carrier, LastMessage, MasterStatus, NodeCounts, SendRate, TakenOver
from netcrier.control.types.question import AnswerRow, PingRequest, QueryRequest
from netcrier.control.types.roster import NodeRequest, NodeRow, Nodes, NodesRequest
from netcrier.control.types.shared import Body, BodyRequest, Done, Nothing
from netcrier.core.delivery import HAVE, State
from netcrier.core.master.reach import MISSED
from netcrier.core.master.roster import Node
from netcrier.errors import NotFoundError, UsageError
from netcrier.ids import MessageId
from netcrier.masterd.carriers import KINDS, MULTICAST6, UNICAST
from netcrier.masterd.messages import Stored
from netcrier.masterd.node_life import life_of
from netcrier.masterd.outcomes import Outcome
from netcrier.masterd.trust_handlers import TrustHandlers, named, seen
from netcrier.runtime.naming import message_id
from netcrier.runtime.udp import RECEIVE_BUFFER
from netcrier.runtime.version import VERSION
from netcrier.wire.handled import outcome_words
from netcrier.wire.limits import SINGLES_MAX
from netcrier.wire.selector import facts_of, parse_selector

if TYPE_CHECKING:
    from netcrier.masterd.app import App

_AWAY_MOST = 100
_PENDING = {"away": "offline", "duplicate": "duplicate"}
"""By the state of a node that has said nothing of a message: what is said of that message."""
_STATES = ("here", "away", "waiting", "revoked", "duplicate")


def _state(app: App, node: Node) -> str:
    if not node.row.approved:
        return "revoked" if node.row.trust == "revoked" else "waiting"
    if app.speaker.roster.double(node, asyncio.get_running_loop().time()):
        return "duplicate"
    return "here" if app.speaker.roster.here(node, asyncio.get_running_loop().time()) else "away"


def _message(app: App, text: str) -> Stored:
    identity = message_id(text)
    stored = app.store.messages.find(identity)
    if stored is None:
        raise NotFoundError(f"message {identity} is not in the store; netctl messages lists the newest")
    return stored


def _receipt_row(app: App, outcome: Outcome) -> ReceiptRow:
    index, state = outcome.index, outcome.state
    node = app.speaker.roster.at(index)
    text = state.name.lower()
    if node and state is State.PENDING:
        text = _PENDING.get(_state(app, node), text)
    return ReceiptRow(
        node=node.row.id.hex() if node else "",
        name=node.row.name if node else f"#{index}",
        state=text,
        after_ms=_milliseconds(outcome.after_us),
        last_ms=_milliseconds(outcome.last_us),
        code=outcome.code,
        reason=outcome_words(outcome.code) if state is State.HANDLED else "",
        repeats=outcome.repeats,
        unexpected=outcome.unexpected,
        seen=seen(node) if node else None,
    )


def _milliseconds(us: int | None) -> float | None:
    return None if us is None else us / 1000


def _received(outcomes: list[Outcome]) -> int:
    return sum(outcome.state in HAVE and not outcome.unexpected for outcome in outcomes)


def _expected(outcomes: list[Outcome]) -> int:
    return sum(outcome.state is not State.REVOKED and not outcome.unexpected for outcome in outcomes)


def _lacking(gaps: Mapping[int, int]) -> list[str]:
    """Of nodes that came back too late."""
    nodes = "1 node lacks" if len(gaps) == 1 else f"{len(gaps)} nodes lack"
    return [f"{nodes} messages that are no longer kept: netctl nodes"] if gaps else []


def _in_memory(app: App) -> str:
    """What waits while the store refuses."""
    waiting = f"{app.receipts.waiting:,} receipts wait in memory"
    return f"{waiting} and no more are taken; nodes repeat them" if app.speaker.overfull else waiting


def _warnings(app: App) -> list[str]:
    found = []
    tenure = app.speaker.tenure
    if not tenure.speaking:
        found.append(f"this master does not speak: {tenure.why}")
    if unknown := tenure.unknown or app.unknown:
        names = ", ".join(f"#{MessageId(*one)}" for one in unknown)
        found.append(f"unknown to this store: nodes had messages up to {names} that it does not have")
    if app.speaker.refused["number not in this store"]:
        found.append("nodes have numbers that this store lacks; where it is an older copy: netctl master take-over")
    if app.speaker.admission.keys.open:
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


def _last(app: App) -> LastMessage | None:
    stored = app.store.messages.find(app.newest) if app.newest else None
    if stored is None:
        return None
    delivery = app.speaker.deliveries.get(stored.id)
    if delivery:
        expected, received = delivery.expected, delivery.received
    else:
        outcomes = app.store.outcomes.of(stored.number)
        expected, received = _expected(outcomes), _received(outcomes)
    after = app.completed.get(stored.id)
    return LastMessage(
        id=str(stored.id),
        sent=stored.sent_us / 1e6,
        expected=expected,
        received=received,
        complete_ms=None if after is None else round(after * 1000, 3),
    )


def _status(app: App) -> MasterStatus:
    speaker, me = app.speaker, app.speaker.me
    states = [(_state(app, node), node) for node in speaker.roster]
    count = {name: sum(state == name for state, _ in states) for name in _STATES}
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
        rate=_rate(app),
        counters={
            "repaired": speaker.repaired + speaker.pieces_repaired,
            "caught up": speaker.stock.caught_up,
            "kernel drops": app.port.drops,
            **speaker.refused,
        },
        warnings=_warnings(app),
        standing=speaker.tenure.standing.value,
        standing_reason=speaker.tenure.why,
        unknown=[str(MessageId(*one)) for one in speaker.tenure.unknown or app.unknown],
        neighbours=speaker.neighbours.count(asyncio.get_running_loop().time()),
    )


def _rate(app: App) -> SendRate:
    rate = app.speaker.rate
    return SendRate(
        mbit_s=round(rate.bits / 1e6, 1), loss_percent=None if rate.loss is None else round(rate.loss * 100, 2)
    )


def _via(app: App, node: Node) -> str:
    """The carrier that reaches the node, as far as its reports and its address tell."""
    kinds = {way.kind for way in app.carriers.ways}
    listed = any(way.kind == UNICAST and way.address[0] == node.row.address for way in app.carriers.ways)
    shared = kinds - {UNICAST}
    if node.row.single_us or node.missed >= MISSED or (listed and not node.found):
        return UNICAST
    if ":" in node.row.address and MULTICAST6 in shared:
        return MULTICAST6
    return next((kind for kind in KINDS if kind in shared), UNICAST)


def _seconds(us: int | None) -> float | None:
    return None if us is None else us / 1e6


def _roster_row(app: App, node: Node, gaps: int) -> NodeRow:
    row = node.row
    outstanding = sum(row.index in delivery.outstanding for delivery in app.speaker.deliveries)
    return NodeRow(
        node=row.id.hex(),
        name=row.name,
        address=row.address,
        state=_state(app, node),
        seen=seen(node),
        rtt_ms=None if node.rtt is None else round(node.rtt * 1000, 3),
        behind=outstanding,
        via=_via(app, node),
        note="broadcast does not reach it" if row.single_us or node.missed >= MISSED else "",
        tags=dict(row.tags),
        trust=row.trust,
        gaps=gaps,
        successor_of=app.speaker.roster.before(node),
    )


class Handlers:
    """One method each; `table` names them."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def status(self, _params: Nothing, _caller: Caller) -> MasterStatus:
        return _status(self._app)

    async def broadcast(self, params: BroadcastRequest, _caller: Caller) -> Sent:
        if not params.request:
            raise UsageError("a broadcast needs a request id: unique text made by the client")
        stored, expected, repeated = await self._app.broadcast(params)
        identity = stored.id
        return Sent(
            id=str(identity),
            term=identity.term,
            lane=identity.lane,
            sequence=identity.sequence,
            sent=stored.sent_us / 1e6,
            expected=expected,
            to=stored.selector,
            expires=_seconds(stored.expires_us),
            repeated=repeated,
        )

    async def receipts(self, params: ReceiptsRequest, _caller: Caller) -> Receipts:
        await self._app.receipts.commit()
        stored = _message(self._app, params.id)
        outcomes = self._app.store.outcomes.of(stored.number)
        rows = [_receipt_row(self._app, outcome) for outcome in outcomes]
        keep_seconds = self._app.config.keep_seconds
        return Receipts(
            id=str(stored.id),
            sent=stored.sent_us / 1e6,
            size=stored.size,
            expected=_expected(outcomes),
            received=_received(outcomes),
            to=stored.selector,
            expires=_seconds(stored.expires_us),
            kept_until=stored.sent_us / 1e6 + keep_seconds if keep_seconds else None,
            kept=stored.kept,
            rows=sorted(rows, key=lambda row: (row.name, row.node)),
        )

    async def follow(self, params: ReceiptsRequest, _caller: Caller) -> AsyncIterator[ReceiptRow]:
        async for outcome in self._app.receipts.follow(_message(self._app, params.id).id):
            yield _receipt_row(self._app, outcome)

    async def nodes(self, params: NodesRequest, _caller: Caller) -> Nodes:
        selector, gaps = parse_selector(params.to), self._app.store.outcomes.gaps()
        roster = self._app.speaker.roster
        rows = [
            _roster_row(self._app, node, gaps.get(node.row.index, 0))
            for node in roster
            if selector.holds(facts_of(node.row.name, node.row.tags))
        ]
        return Nodes(sorted(rows, key=lambda row: (row.name, row.node)))

    async def explain(self, params: NodeRequest, _caller: Caller) -> NodeLife:
        speaker = self._app.speaker
        node = named(speaker.roster, params.node)
        return life_of(
            speaker, node, _roster_row(self._app, node, self._app.store.outcomes.gaps().get(node.row.index, 0))
        )

    async def forget(self, params: NodeRequest, _caller: Caller) -> Done:
        await self._app.forget(named(self._app.speaker.roster, params.node))
        return Done()

    async def messages(self, params: SentMessagesRequest, _caller: Caller) -> SentMessages:
        await self._app.receipts.commit()
        rows = []
        for stored in self._app.store.messages.newest(min(max(params.limit, 1), 1000)):
            outcomes = self._app.store.outcomes.of(stored.number)
            rows.append(
                SentRow(
                    id=str(stored.id),
                    sent=stored.sent_us / 1e6,
                    size=stored.size,
                    body=stored.body,
                    expected=_expected(outcomes),
                    received=_received(outcomes),
                )
            )
        return SentMessages(rows)

    def ping(self, params: PingRequest, _caller: Caller) -> AsyncIterator[AnswerRow]:
        return self._app.asking.ask("", b"", params.to, params.timeout)

    def query(self, params: QueryRequest, _caller: Caller) -> AsyncIterator[AnswerRow]:
        if not params.name:
            raise UsageError("a query names a handler")
        return self._app.asking.ask(params.name, params.body, params.to, params.timeout)

    async def take_over(self, _params: Nothing, _caller: Caller) -> TakenOver:
        return TakenOver(term=await self._app.take_over())

    async def body(self, params: BodyRequest, _caller: Caller) -> Body:
        stored = _message(self._app, params.id)
        return Body(id=str(stored.id), body=self._app.store.messages.body(stored.id) or stored.body)

    @property
    def table(self) -> Mapping[str, Any]:
        """Method name to handler."""
        return TrustHandlers(self._app).table | {
            "status": self.status,
            "broadcast": self.broadcast,
            "receipts": self.receipts,
            "receipts.follow": self.follow,
            "nodes": self.nodes,
            "node.explain": self.explain,
            "node.forget": self.forget,
            "messages": self.messages,
            "message.body": self.body,
            "ping": self.ping,
            "query": self.query,
            "master.takeover": self.take_over,
        }
