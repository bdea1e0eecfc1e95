"""masterd's answers about trust: group keys and join tokens."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from netcrier.control.server import Caller
from netcrier.control.types.shared import Done, Nothing
from netcrier.control.types.trust import (
    GroupKeyStatus,
    LackingNode,
    Token,
    TokenNameRequest,
    TokenRequest,
    TokenRow,
    Tokens,
)
from netcrier.core.master.admission import Grant
from netcrier.core.master.roster import Roster
from netcrier.errors import UsageError
from netcrier.masterd.handlers.node_view import seen
from netcrier.runtime.udp import clock_us

if TYPE_CHECKING:
    from netcrier.masterd.app import App

_LACKING_MOST = 100
_TTL_MOST = 315_360_000
"""Seconds that a token may live: ten years; one without end needs no limit."""


def _keys(app: App) -> GroupKeyStatus:
    keyring, roster = app.speaker.keyring, app.speaker.roster
    keys = keyring.keys
    members = [node for node in roster if node.row.approved]
    lacking = sorted((node for node in members if node.epoch != keys.epoch), key=lambda node: node.row.name)
    following, ms = keyring.announcement(asyncio.get_running_loop().time())
    return GroupKeyStatus(
        epoch=keys.epoch,
        since=keys.since_us / 1e6 or None,
        sealed=keyring.sealed,
        next_epoch=following or None,
        next_in_s=ms / 1000 if following else None,
        holding=len(members) - len(lacking),
        lacking=[
            LackingNode(node=node.row.id.hex(), name=node.row.name, seen=seen(node)) for node in lacking[:_LACKING_MOST]
        ],
        lacking_count=len(lacking),
    )


def _token_row(roster: Roster, grant: Grant, now_us: int) -> TokenRow:
    user = roster.get(grant.used_by) if grant.used_by else None
    state = "usable"
    if grant.expires_us is not None and now_us > grant.expires_us:
        state = "expired"
    elif grant.once and grant.used_by:
        state = "used"
    return TokenRow(
        id=grant.id.hex(),
        state=state,
        once=grant.once,
        expires=None if grant.expires_us is None else grant.expires_us / 1e6,
        used_by=user.row.name if user else grant.used_by.hex() if grant.used_by else None,
    )


class TrustHandlers:
    """One method each; `table` names them."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def keys(self, _params: Nothing, _caller: Caller) -> GroupKeyStatus:
        return _keys(self._app)

    async def rotate(self, _params: Nothing, _caller: Caller) -> GroupKeyStatus:
        await self._app.trust.rotate()
        return _keys(self._app)

    async def make_token(self, params: TokenRequest, _caller: Caller) -> Token:
        if params.ttl is not None and not 0 < params.ttl <= _TTL_MOST:
            raise UsageError(f"a token's time to live is more than 0 and at most {_TTL_MOST:,} seconds")
        token, closed_now, expires = await self._app.trust.make_token(params.ttl, params.once)
        return Token(token=token, closed_now=closed_now, expires=None if expires is None else expires / 1e6)

    async def tokens(self, _params: Nothing, _caller: Caller) -> Tokens:
        speaker, now_us = self._app.speaker, clock_us()
        rows = [_token_row(speaker.roster, grant, now_us) for grant in speaker.admission.grants.values()]
        return Tokens(sorted(rows, key=lambda row: (row.state != "usable", row.expires or 0.0, row.id)))

    async def void_token(self, params: TokenNameRequest, _caller: Caller) -> Done:
        await self._app.trust.void_token(params.token)
        return Done()

    @property
    def table(self) -> dict[str, Any]:
        """Method name to handler."""
        return {
            "keys": self.keys,
            "keys.rotate": self.rotate,
            "token.create": self.make_token,
            "token.list": self.tokens,
            "token.revoke": self.void_token,
        }
