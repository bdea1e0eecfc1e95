"""masterd's answers about messages: sending one, what became of it at each node, the newest ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final

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
from netcrier.control.types.shared import Body, BodyRequest
from netcrier.core.delivery import State
from netcrier.core.master.roster import Roster
from netcrier.errors import NotFoundError, UsageError
from netcrier.masterd.handlers.node_view import seen, state_of
from netcrier.masterd.store.messages import Stored
from netcrier.masterd.store.outcomes import Outcome, expected, received
from netcrier.runtime.naming import message_id
from netcrier.wire.handled import outcome_words

if TYPE_CHECKING:
    from netcrier.masterd.app import App

_PENDING: Final = {"away": "offline", "duplicate": "duplicate"}
"""By the state of a node that has said nothing of a message: what is said of that message."""


class MessageHandlers:
    """One method each; `table` names them."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def broadcast(self, params: BroadcastRequest, _caller: Caller) -> Sent:
        if not params.request:
            raise UsageError("a broadcast needs a request id: unique text made by the client")
        stored, awaited, repeated = await self._app.broadcasts.send(params)
        identity = stored.id
        return Sent(
            id=str(identity),
            term=identity.term,
            lane=identity.lane,
            sequence=identity.sequence,
            sent=stored.sent_us / 1e6,
            expected=awaited,
            to=stored.selector,
            expires=_seconds(stored.expires_us),
            repeated=repeated,
        )

    async def receipts(self, params: ReceiptsRequest, _caller: Caller) -> Receipts:
        await self._app.receipts.commit()
        stored = self._stored(params.id)
        outcomes = self._app.store.outcomes.of(stored.number)
        rows = [self._row(outcome) for outcome in outcomes]
        keep_seconds = self._app.config.keep_seconds
        return Receipts(
            id=str(stored.id),
            sent=stored.sent_us / 1e6,
            size=stored.size,
            expected=expected(outcomes),
            received=received(outcomes),
            to=stored.selector,
            expires=_seconds(stored.expires_us),
            kept_until=stored.sent_us / 1e6 + keep_seconds if keep_seconds else None,
            kept=stored.kept,
            rows=sorted(rows, key=lambda row: (row.name, row.node)),
        )

    async def follow(self, params: ReceiptsRequest, _caller: Caller) -> AsyncIterator[ReceiptRow]:
        async for outcome in self._app.receipts.follow(self._stored(params.id).id):
            yield self._row(outcome)

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
                    expected=expected(outcomes),
                    received=received(outcomes),
                )
            )
        return SentMessages(rows)

    async def body(self, params: BodyRequest, _caller: Caller) -> Body:
        stored = self._stored(params.id)
        return Body(id=str(stored.id), body=self._app.store.messages.body(stored.id) or stored.body)

    def _stored(self, text: str) -> Stored:
        identity = message_id(text)
        stored = self._app.store.messages.find(identity)
        if stored is None:
            raise NotFoundError(f"message {identity} is not in the store; netctl messages lists the newest")
        return stored

    def _row(self, outcome: Outcome) -> ReceiptRow:
        return _row(self._app.speaker.roster, outcome, asyncio.get_running_loop().time())

    @property
    def table(self) -> dict[str, Any]:
        """Method name to handler."""
        return {
            "broadcast": self.broadcast,
            "receipts": self.receipts,
            "receipts.follow": self.follow,
            "messages": self.messages,
            "message.body": self.body,
        }


def _row(roster: Roster, outcome: Outcome, now: float) -> ReceiptRow:
    index, state = outcome.index, outcome.state
    node = roster.at(index)
    text = state.name.lower()
    if node and state is State.PENDING:
        text = _PENDING.get(state_of(roster, node, now), text)
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


def _seconds(us: int | None) -> float | None:
    return None if us is None else us / 1e6
