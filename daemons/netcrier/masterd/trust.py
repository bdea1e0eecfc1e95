"""What the operator decides about trust: group keys, tokens, nodes that are let in or shut out.

Every change is one transaction, on disk before anything is said; changes and broadcasts follow one another (`sending`),
so that no message is sealed with a key that a revocation has just made worthless.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable

from msgspec.structs import replace

from netcrier.core.events import NodeRow
from netcrier.core.master.admission import Grant
from netcrier.core.master.keyring import GroupKeys
from netcrier.core.master.roster import Node
from netcrier.core.master.speaker import Speaker
from netcrier.errors import NotFoundError, StoreError, UsageError
from netcrier.masterd.store.store import Store
from netcrier.runtime.store import Writer
from netcrier.runtime.udp import clock_us
from netcrier.wire.envelope import KEY_SIZE
from netcrier.wire.hello import TOKEN_ID_SIZE
from netcrier.wire.token import Token, encode_token

_log = logging.getLogger("netcrier.masterd")


class Trust:
    """See the module. `flush` carries out what the speaker then has to say."""

    def __init__(
        self, speaker: Speaker, store: Store, writer: Writer, sending: asyncio.Lock, flush: Callable[[], None]
    ) -> None:
        self._speaker, self._store, self._writer = speaker, store, writer
        self._sending, self._flush = sending, flush

    # Keys

    async def rotate(self) -> GroupKeys:
        """Announce another group key; one that is announced already stays. The keys in force."""
        async with self._sending:
            keys = self._speaker.keyring.announced(os.urandom(KEY_SIZE))
            await self._keep(keys)
        return keys

    async def settle_keys(self) -> None:
        """A change of the keys is due."""
        async with self._sending:
            keys = self._speaker.keys_due(_now(), clock_us())
            if keys:
                await self._keep(keys)

    async def close_group(self) -> None:
        """An open group lets nobody join any more; for the start, when nothing is sent yet."""
        async with self._sending:
            if self._speaker.keyring.keys.open:
                await self._close(None)

    # Tokens

    async def make_token(self, ttl: float | None, once: bool) -> tuple[str, bool, int | None]:
        """Token, whether the group was open until now, and when the token expires (µs since 1970)."""
        speaker = self._speaker
        expires = None if ttl is None else clock_us() + int(ttl * 1e6)
        grant = Grant(os.urandom(TOKEN_ID_SIZE), os.urandom(KEY_SIZE), expires, once)
        async with self._sending:
            closing = speaker.keyring.keys.open
            if closing:
                await self._close(grant)
            else:
                await self._writer.run(self._store.group.keep_grant, grant)
            speaker.admission.grants[grant.id] = grant
        self._flush()
        me = speaker.me
        token = Token(me.group, me.signer.public, me.agreement.public, me.port, grant.id, grant.secret, me.group_name)
        return encode_token(token), closing, expires

    async def void_token(self, name: str) -> Grant:
        """Nobody may use the token whose id begins so any more; who has joined by it stays."""
        found = [grant for grant in self._speaker.admission.grants.values() if grant.id.hex().startswith(name.lower())]
        if not found or len(name) < 4:
            raise NotFoundError(f"no token has the id {name!r}; netctl token list shows them")
        if len(found) > 1:
            raise UsageError(f"{len(found)} tokens begin with {name!r}; name more of the id")
        await self._writer.run(self._store.group.drop_grant, found[0].id)
        self._speaker.admission.grants.pop(found[0].id, None)
        return found[0]

    # Nodes

    async def approve(self, node: Node) -> None:
        """Let a node in that waits or was revoked; it gets the key at its next hello."""
        async with self._sending:
            row = node.row if node.row.approved else replace(node.row, trust="approved", approved=True)
            await self._writer.run(self._store.group.keep_nodes, [row])
            self._speaker.enlist(row)

    async def revoke(self, node: Node) -> Grant | None:
        """Shut a node out at once: row and key in one commit. The token by which it came, where others could use it
        too, is void: whoever has the node has the token. An open group is closed by that. Gives the token."""
        async with self._sending:
            row = replace(node.row, trust="revoked", approved=False)
            grant = self._speaker.admission.grants.get(row.token)
            void = grant if grant and not grant.once else None
            keys = self._speaker.keyring.replaced(os.urandom(KEY_SIZE), clock_us())
            await self._shut_out(keys, [row], None, [void.id] if void else [])
            if void:
                self._speaker.admission.grants.pop(void.id, None)
            self._speaker.revoke(row, keys, _now())
        self._flush()
        _log.warning("node %s (%s) is revoked; the group key is of epoch %d", row.name, row.id.hex()[:8], keys.epoch)
        return void

    async def _close(self, grant: Grant | None) -> None:
        speaker = self._speaker
        keys = speaker.keyring.replaced(os.urandom(KEY_SIZE), clock_us())
        rows: list[NodeRow] = [
            replace(node.row, trust="waiting", approved=False)
            for node in speaker.roster
            if node.row.trust == "first-use"
        ]
        await self._shut_out(keys, rows, grant, [])
        speaker.take_keys(keys, _now())
        _log.info("the group is closed; %d nodes of first use wait", len(rows))

    async def _shut_out(self, keys: GroupKeys, rows: list[NodeRow], grant: Grant | None, void: list[bytes]) -> None:
        """Committed. The nodes are refused from before the commit on: no row that still lets one in can follow it."""
        before = [node.row for node in (self._speaker.roster.get(row.id) for row in rows) if node]
        for row in rows:
            self._speaker.enlist(row)
        try:
            await self._writer.run(self._store.group.shut_out, keys, rows, grant, void)
        except StoreError:
            for row in before:
                self._speaker.enlist(row)
            raise

    async def _keep(self, keys: GroupKeys) -> None:
        before = self._speaker.keyring.keys
        await self._writer.run(self._store.group.keep_keys, keys)
        self._speaker.take_keys(keys, _now())
        self._flush()
        if keys.given != before.given:
            _log.info("group key of epoch %d holds%s", keys.epoch, ", the next is announced" * bool(keys.next_secret))


def _now() -> float:
    return asyncio.get_running_loop().time()
