"""The changes of a master's term on disk, and what may be asked of one that does not speak.

A new term is committed to the store, and the daemon then begins anew from it, as after a start: what a run holds in
memory is of one term.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from netcrier.control.methods import MASTERD, Stream
from netcrier.control.server import Caller
from netcrier.control.types.shared import Right
from netcrier.core.standing import Standing
from netcrier.errors import UsageError

if TYPE_CHECKING:
    from netcrier.core.master.tenure import Tenure

Answer = Callable[[Any, Caller], Any]
Require = Callable[[], Coroutine[Any, Any, None]]
"""Returns once the master speaks; UsageError where it does not."""

_ANY_STANDING: Final = frozenset({"master.takeover", "reload", "logs.reopen"})
"""Changes that a silent master makes too."""
_SPEAKS: Final = frozenset({"ping"})
"""What changes nothing and yet takes a master that speaks."""


class Voice:
    """Tells who waits for it that the listening is over."""

    def __init__(self) -> None:
        self._settled = asyncio.Event()

    def settled(self) -> None:
        """The standing is decided."""
        self._settled.set()

    async def listened(self) -> None:
        """Returns once the standing is decided."""
        await self._settled.wait()

    async def require(self, tenure: Tenure) -> None:
        """Returns once the master speaks; UsageError says why it does not."""
        if tenure.standing is Standing.LISTENING:
            await self._settled.wait()
        tenure.require()


def guarded(table: Mapping[str, Any], require: Require) -> dict[str, Any]:
    """The handlers; those that change what all masters of this identity share wait until this one speaks."""
    return {name: _behind(require, answer, name) if _guards(name) else answer for name, answer in table.items()}


def _guards(name: str) -> bool:
    return name in _SPEAKS or (MASTERD[name].right is Right.CHANGE and name not in _ANY_STANDING)


def _behind(require: Require, answer: Answer, name: str) -> Answer:
    async def checked(params: Any, caller: Caller) -> Any:
        await require()
        return await answer(params, caller)

    async def streamed(params: Any, caller: Caller) -> AsyncIterator[Any]:
        await require()
        async with aclosing(answer(params, caller)) as items:
            async for item in items:
                yield item

    return streamed if isinstance(MASTERD[name], Stream) else checked


def fresh_epoch() -> int:
    """An epoch that no group key has had, where none is known: seconds since 1970."""
    return int(time.time())


def refuse_term(term: int) -> None:
    """UsageError where the numbers of terms are used up."""
    if term >= 1 << 32:
        raise UsageError("there are no more terms: make a new group")
