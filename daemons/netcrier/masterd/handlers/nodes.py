"""masterd's answers about nodes: which there are, how one is, who is let in, shut out or forgotten."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from netcrier.control.server import Caller
from netcrier.control.types.life import NodeLife
from netcrier.control.types.roster import NodeRequest, NodeRow, Nodes, NodesRequest
from netcrier.control.types.shared import Done
from netcrier.control.types.trust import Revoked
from netcrier.core.master.roster import Node
from netcrier.masterd.handlers.node_view import life_of, named, row_of
from netcrier.wire.selector import facts_of, parse_selector

if TYPE_CHECKING:
    from netcrier.masterd.app import App


class NodeHandlers:
    """One method each; `table` names them."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def nodes(self, params: NodesRequest, _caller: Caller) -> Nodes:
        selector = parse_selector(params.to)
        meant = [
            node for node in self._app.speaker.roster if selector.holds(facts_of(node.row.name, node.row.tags))
        ]  # fmt: skip
        return Nodes(sorted(self._rows(meant), key=lambda row: (row.name, row.node)))

    async def explain(self, params: NodeRequest, _caller: Caller) -> NodeLife:
        node = self._named(params)
        (row,) = self._rows([node])
        return life_of(self._app.speaker, node, row)

    async def approve(self, params: NodeRequest, _caller: Caller) -> Done:
        await self._app.trust.approve(self._named(params))
        return Done()

    async def revoke(self, params: NodeRequest, _caller: Caller) -> Revoked:
        keyring = self._app.speaker.keyring
        was_open = keyring.keys.open
        void = await self._app.trust.revoke(self._named(params))
        return Revoked(epoch=keyring.keys.epoch, void_token=void.id.hex() if void else None, closed_now=was_open)

    async def forget(self, params: NodeRequest, _caller: Caller) -> Done:
        await self._app.forget(self._named(params))
        return Done()

    def _named(self, params: NodeRequest) -> Node:
        return named(self._app.speaker.roster, params.node)

    def _rows(self, nodes: list[Node]) -> list[NodeRow]:
        app, gaps, now = self._app, self._app.store.outcomes.gaps(), asyncio.get_running_loop().time()
        return [row_of(app.speaker, app.carriers, node, gaps, now) for node in nodes]

    @property
    def table(self) -> dict[str, Any]:
        """Method name to handler."""
        return {
            "nodes": self.nodes,
            "node.explain": self.explain,
            "node.approve": self.approve,
            "node.revoke": self.revoke,
            "node.forget": self.forget,
        }
