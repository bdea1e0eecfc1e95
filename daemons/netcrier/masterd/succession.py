"""The changes of a master's standing and term, on disk and for who waits for them.

A new term is committed to the store, and the daemon then begins anew from it, as after a start: what a run holds in
memory is of one term. Which master of an identity may speak is decided in core/master/tenure.py.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine
from typing import Any, Final

from netcrier.core.master.keyring import GroupKeys
from netcrier.core.master.speaker import Speaker
from netcrier.core.standing import Standing, StandingChanged
from netcrier.errors import StoreError, UsageError
from netcrier.masterd.store.terms import Terms
from netcrier.masterd.store.whereabouts import Whereabouts
from netcrier.runtime.store import Writer
from netcrier.runtime.udp import clock_us
from netcrier.wire.envelope import KEY_SIZE

_log = logging.getLogger("netcrier.masterd")
_ANSWERED_WITHIN: Final = 0.6
"""Seconds in which nodes answer an inquiry: they spread over 0.4."""
_AGAIN_AFTER: Final = 0.1
"""Seconds from a new term to the new start: the answer to who asked for it leaves meanwhile."""


class Succession:
    """See the module. `again` is set when the daemon is to begin anew; `flush()` sends what the speaker has to say,
    `spawn(work)` runs it beside, `failed(error)` is told what the store refuses."""

    def __init__(
        self,
        speaker: Speaker,
        terms: Terms,
        writer: Writer,
        whereabouts: Whereabouts,
        again: asyncio.Event,
        flush: Callable[[], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        failed: Callable[[StoreError], None],
    ) -> None:
        self._speaker, self._terms, self._writer = speaker, terms, writer
        self._whereabouts, self._again = whereabouts, again
        self._flush, self._spawn, self._failed = flush, spawn, failed
        self._listened = asyncio.Event()
        self._renewing = False

    async def require(self) -> None:
        """Returns once the master speaks; UsageError says why it does not."""
        if self._speaker.tenure.standing is Standing.LISTENING:
            await self._listened.wait()
        self._speaker.tenure.require()

    def settled(self, settled: StandingChanged) -> None:
        """The machine has decided."""
        if settled.new_term:
            self._spawn(self._renew())
            return
        self._spawn(self.keep_place())
        self._listened.set()
        if settled.standing is Standing.SPEAKING:
            _log.info("speaks: nobody else does")
        else:
            _log.error("is silent (%s): %s", settled.standing.value, settled.why)

    async def take_over(self) -> int:
        """Begin a term above every other that was heard; the daemon then starts anew in it. The term."""
        tenure = self._speaker.tenure
        if tenure.standing is Standing.LISTENING:
            await self._listened.wait()
        elif not tenure.speaking:  # what was heard at the start may be old by now
            for _ in range(2):  # nodes answer each question once, and either may be lost
                self._speaker.inquire(asyncio.get_running_loop().time(), clock_us())
                self._flush()
                await asyncio.sleep(_ANSWERED_WITHIN)
        return await self._begin_term()

    async def keep_place(self) -> None:
        """Only a store whose master speaks may speak at its next start without listening."""
        if self._renewing:
            return
        try:
            await self._writer.run(self._place_kept, self._speaker.tenure.speaking)
        except StoreError as error:
            self._failed(error)

    async def _renew(self) -> None:
        try:
            await self._begin_term()
        except StoreError as error:
            self._failed(error)

    async def _begin_term(self) -> int:
        tenure, keys = self._speaker.tenure, self._speaker.keyring.keys
        term = tenure.next_term
        refuse_term(term)
        above = tenure.highest_epoch + 1
        # A higher epoch: the key here was replaced since this copy was made, perhaps because of a stolen node.
        fresh = GroupKeys(above, os.urandom(KEY_SIZE), open=False) if above > keys.epoch + 1 else None
        most = {(old, lane): number for old, lane, number in self._terms.unknown}
        for old, lane, number in tenure.unknown:
            most[old, lane] = max(number, most.get((old, lane), 0))
        unknown = sorted((*place, number) for place, number in most.items())
        await self._writer.run(self._terms.begin, term, fresh, unknown)
        await self._writer.run(self._place_kept, True)
        _log.warning("begins term %d", term)
        self._renewing = True
        asyncio.get_running_loop().call_later(_AGAIN_AFTER, self._again.set)
        return term

    def _place_kept(self, speaking: bool) -> None:
        self._terms.keep_place(self._whereabouts.renew() if speaking else b"")


def refuse_term(term: int) -> None:
    """UsageError where the numbers of terms are used up."""
    if term >= 1 << 32:
        raise UsageError("there are no more terms: make a new group")
