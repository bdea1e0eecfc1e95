"""Nodes that join: each row is on disk before the node may know, or before it is listed as waiting."""

from __future__ import annotations

import logging
from collections.abc import Callable

from msgspec.structs import replace

from netcrier.core.events import Enrolling, NodeRow
from netcrier.core.master.speaker import Speaker
from netcrier.errors import StoreError
from netcrier.masterd.store.group import Group
from netcrier.runtime.store import Writer

_log = logging.getLogger("netcrier.masterd")


class Enrolment:
    """See the module. `flush()` sends what the speaker has to say, `failed(error)` is told what the store refuses."""

    def __init__(
        self,
        speaker: Speaker,
        group: Group,
        writer: Writer,
        flush: Callable[[], None],
        failed: Callable[[StoreError], None],
    ) -> None:
        self._speaker, self._group, self._writer = speaker, group, writer
        self._flush, self._failed = flush, failed

    async def admit(self, event: Enrolling) -> None:
        """Let the node in, unless it was revoked since its hello was judged."""
        admission, roster, row = self._speaker.admission, self._speaker.roster, event.row
        before = roster.get(row.id)
        if before and before.row.trust == "revoked":
            admission.settled(row.id)
            return
        grant = admission.grants.get(event.token) if event.token else None
        if grant and grant.used_by is None:
            grant = replace(grant, used_by=row.id)
        try:
            await self._writer.run(self._group.keep_nodes, [row], grant)
        except StoreError as error:
            self._failed(error)
            admission.settled(row.id)
            return
        if grant:
            admission.grants[grant.id] = grant
        known = roster.get(row.id) is not None
        self._speaker.admit(event)
        self._flush()
        if not known:
            _log.info("node %s (%s) joins by %s", row.name, row.id.hex()[:8], row.trust)

    async def let_wait(self, row: NodeRow) -> None:
        """The node waits for approval."""
        try:
            await self._writer.run(self._group.keep_nodes, [row])
            self._speaker.enlist(row)
        except StoreError as error:
            self._failed(error)
        self._speaker.admission.settled(row.id)
