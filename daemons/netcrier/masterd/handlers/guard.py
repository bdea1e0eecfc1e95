"""What may be asked of a master that does not speak: all that reads, and what every master of an identity does alone.

Whoever asks for more while it listens waits until that is over.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import aclosing
from typing import Any, Final

from netcrier.control.methods import MASTERD, Stream
from netcrier.control.server import Caller
from netcrier.control.types.shared import Right

Answer = Callable[[Any, Caller], Any]
Require = Callable[[], Coroutine[Any, Any, None]]
"""Returns once the master speaks; UsageError where it does not."""

_ANY_STANDING: Final = frozenset({"master.takeover", "reload", "logs.reopen"})
"""Changes that a silent master makes too."""
_SPEAKS: Final = frozenset({"ping"})
"""What changes nothing and yet takes a master that speaks."""


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
