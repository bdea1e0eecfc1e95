"""noded's answers on the control socket: request in, reply out."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from netcrier.control.server import Caller
from netcrier.control.types.node import (
    FollowRequest,
    HandlerFailure,
    HandlersAtWork,
    Joined,
    JoinRequest,
    LastReceived,
    NodeStatus,
    ReceivedMessages,
    ReceivedMessagesRequest,
    ReceivedRow,
)
from netcrier.control.types.shared import Body, BodyRequest, Nothing
from netcrier.core.node.listener import Listener
from netcrier.errors import NotFoundError
from netcrier.noded.journal.entry import Entry
from netcrier.noded.message_log import event_of
from netcrier.noded.programs.message_runs import MessageRuns
from netcrier.noded.trust import pin_of
from netcrier.runtime.naming import message_id
from netcrier.runtime.udp import RECEIVE_BUFFER
from netcrier.runtime.version import VERSION
from netcrier.wire.envelope import master_id
from netcrier.wire.handled import words

if TYPE_CHECKING:
    from netcrier.noded.app import App

_PAGE = 64
_LISTED = 8 * 1024
"""Bytes of a body in a list: a thousand of them fit one reply."""


def state_of(listener: Listener) -> str:
    """The state that `status` names."""
    if listener.heard_at is None:
        return "listening"
    if listener.enrolled and not listener.keyless:
        return "enrolled"
    waits = listener.open is False and (listener.pin is None or listener.pin.token is None)
    return "waiting" if waits else "joining"


def _row(entry: Entry, most: int) -> ReceivedRow:
    """With at most so many bytes of the body."""
    return ReceivedRow(
        n=entry.n,
        id=str(entry.id),
        sent=entry.sent_us / 1e6,
        received=entry.received_us / 1e6,
        size=len(entry.body),
        sha256=sha256(entry.body).hexdigest(),
        body=entry.body[:most],
        trust=entry.trust,
        event=event_of(entry),
        count=entry.last - entry.id.sequence + 1,
    )


def _at_work(runs: MessageRuns) -> HandlersAtWork:
    last = runs.last_failure
    failure = HandlerFailure(last.handler, last.message, last.code, words(last.code), last.at) if last else None
    return HandlersAtWork(running=runs.running, waiting=runs.waiting, failures=runs.failures, last_failure=failure)


def _warnings(app: App) -> list[str]:
    listener, found = app.listener, []
    if listener.open:
        found.append("the group is open: anyone on this LAN can read and join; on the master: netctl token")
    if listener.keyless:
        found.append("the master does not give this node the group key in force: it may be revoked or forgotten there")
    if app.journal_told:
        found.append(app.journal_told)
    if app.recording.log_full:
        found.append("the log's disk is full: messages stay in the journal until there is room")
    if app.store_error:
        found.append(f"{app.store_error}: messages are asked for again")
    if app.port.buffer < RECEIVE_BUFFER:
        found.append(f"receive buffer {app.port.buffer} bytes: sysctl -w net.core.rmem_max={RECEIVE_BUFFER}")
    if app.port.drops:
        found.append(f"the kernel dropped {app.port.drops} datagrams for want of buffer; they are repaired")
    for (group, index), error in app.hearing.failed.items():
        found.append(f"multicast group {group} cannot be joined on interface {index}: {error.strerror}")
    return found + app.handling.warnings()


class Handlers:
    """One method each; `table` names them."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def status(self, _params: Nothing, _caller: Caller) -> NodeStatus:
        listener, pin, last = self._app.listener, self._app.listener.pin, self._app.recording.last
        return NodeStatus(
            version=VERSION,
            pid=os.getpid(),
            started=self._app.started,
            node=listener.id.hex(),
            name=listener.me.name,
            state=state_of(listener),
            group=listener.membership.group_name or (pin.group_name if pin else None) or None,
            master=master_id(pin.signing_key).hex() if pin else None,
            trust=pin.trust if pin else "none",
            open=listener.open,
            last=LastReceived(str(last.id), last.received_us / 1e6) if last else None,
            received=self._app.journal.newest,
            behind=listener.behind,
            handlers=_at_work(self._app.handling.messages),
            counters={"received": listener.received, **self._app.port.counters, **listener.refused},
            warnings=_warnings(self._app),
        )

    async def messages(self, params: ReceivedMessagesRequest, _caller: Caller) -> ReceivedMessages:
        limit = min(max(params.limit, 1), 1000)
        after = max(0, self._app.journal.newest - limit) if params.after is None else params.after
        rows = await self._app.writer.run(lambda: [_row(one, _LISTED) for one in self._app.journal.walk(after, limit)])
        return ReceivedMessages(rows)

    async def body(self, params: BodyRequest, _caller: Caller) -> Body:
        identity = message_id(params.id)
        entry = await self._app.writer.run(self._app.journal.find, identity)
        if entry is None:
            raise NotFoundError(f"message {identity} is not in the journal; netctl messages lists the newest")
        return Body(id=str(entry.id), body=entry.body)

    async def follow(self, params: FollowRequest, _caller: Caller) -> AsyncIterator[ReceivedRow]:
        cursor = self._app.journal.newest if params.after is None else params.after
        while True:
            arrived = self._app.recording.arrived
            entries = await self._app.writer.run(self._app.journal.entries, cursor, _PAGE)
            for entry in entries:
                cursor = entry.n
                yield _row(entry, len(entry.body))
            if not entries:
                await arrived.wait()

    async def join(self, params: JoinRequest, _caller: Caller) -> Joined:
        pin = pin_of(params.token)
        changed = await self._app.join(pin)
        return Joined(group=pin.group_name, master=master_id(pin.signing_key).hex(), changed=changed)

    @property
    def table(self) -> Mapping[str, Any]:
        """Method name to handler."""
        return {
            "status": self.status,
            "messages": self.messages,
            "message.body": self.body,
            "messages.follow": self.follow,
            "join": self.join,
        }
