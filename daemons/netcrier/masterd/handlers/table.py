"""masterd's answers on the control socket: request in, reply out.

Here are those about the master itself and the questions to nodes; of messages, nodes and trust each have a module.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from netcrier.control.server import Caller
from netcrier.control.types.master import MasterStatus, TakenOver
from netcrier.control.types.question import AnswerRow, PingRequest, QueryRequest
from netcrier.control.types.shared import Nothing
from netcrier.errors import UsageError
from netcrier.masterd.handlers.messages import MessageHandlers
from netcrier.masterd.handlers.nodes import NodeHandlers
from netcrier.masterd.handlers.status import status_of
from netcrier.masterd.handlers.trust import TrustHandlers

if TYPE_CHECKING:
    from netcrier.masterd.app import App


class Handlers:
    """One method each; `table` names them, and those of the other modules."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def status(self, _params: Nothing, _caller: Caller) -> MasterStatus:
        return status_of(self._app, asyncio.get_running_loop().time())

    def ping(self, params: PingRequest, _caller: Caller) -> AsyncIterator[AnswerRow]:
        return self._app.asking.ask("", b"", params.to, params.timeout)

    def query(self, params: QueryRequest, _caller: Caller) -> AsyncIterator[AnswerRow]:
        if not params.name:
            raise UsageError("a query names a handler")
        return self._app.asking.ask(params.name, params.body, params.to, params.timeout)

    async def take_over(self, _params: Nothing, _caller: Caller) -> TakenOver:
        return TakenOver(term=await self._app.succession.take_over())

    @property
    def table(self) -> Mapping[str, Any]:
        """Method name to handler."""
        app = self._app
        return (
            MessageHandlers(app).table
            | NodeHandlers(app).table
            | TrustHandlers(app).table
            | {
                "status": self.status,
                "ping": self.ping,
                "query": self.query,
                "master.takeover": self.take_over,
            }
        )
