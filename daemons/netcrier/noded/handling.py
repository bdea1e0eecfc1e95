"""What handlers do on this node: which run, with what, and what becomes of it.

Rules:
- Handlers run for a master that a join token named; for one that was merely the first to be heard only if the
  configuration says so.
- A question's number is in the journal before its handler starts: a question that is recorded and sent again after a
  restart starts nothing.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from netcrier.noded.runner import Ran, Run
from netcrier.noded.runs import Runs
from netcrier.wire.envelope import master_id
from netcrier.wire.handled import Code

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from netcrier.core.events import Asked, Pin
    from netcrier.core.listener import Listener
    from netcrier.noded.config import HandlersSection

_log = logging.getLogger("netcrier.noded")
SOCKET: Final = "handler.sock"
_IN_TIME: Final = 0.9
"""The part of a question's time in which its handler has to end, so that the answer still arrives in time."""


class Handling:
    """See the module. `begun(question)` commits a question's number and says whether it is new."""

    def __init__(
        self,
        config: HandlersSection,
        runtime_dir: Path,
        listener: Callable[[], Listener],
        begun: Callable[[tuple[int, int, int]], Awaitable[bool]],
        clock: Callable[[], float],
    ) -> None:
        self._config, self._listener, self._begun, self._clock = config, listener, begun, clock
        self._runs = Runs(runtime_dir / SOCKET, config.running, config.waiting)

    def trusted(self, pin: Pin | None) -> bool:
        """Whether anything runs for this master."""
        return pin is not None and (pin.trust == "token" or self._config.first_use)

    async def question(self, asked: Asked) -> Ran:
        """Run the handler that a question names."""
        listener = self._listener()
        if not self.trusted(listener.pin):
            return Ran(Code.NOT_TRUSTED, b"", 0)
        if not await self._begun((listener.membership.term, *asked.question)):
            return Ran(Code.UNCERTAIN, b"", 0)
        left = (asked.deadline - self._clock()) * _IN_TIME
        seconds = min(self._config.seconds, max(0.1, left))
        facts = self.facts() | {"EVENT": "question", "QUESTION": asked.name}
        run = Run(asked.name, facts, asked.body, seconds, self._config.output_kib << 10, self._config.memory_mib << 20)
        ran = await self._runs.run(run)
        if ran.code:
            _log.info("handler %s for a question ended with %d", asked.name, ran.code)
        return ran

    def facts(self) -> dict[str, str]:
        """Who and where the node is."""
        listener = self._listener()
        pin = listener.pin
        tags = {f"TAG_{_word(key)}": value for key, value in listener.me.tags}
        return tags | {
            "NODE": listener.id.hex(),
            "NAME": listener.me.name,
            "GROUP": listener.membership.group_name,
            "MASTER": master_id(pin.signing_key).hex() if pin else "",
            "TRUST": pin.trust if pin else "none",
        }


def _word(key: str) -> str:
    """A tag's key as part of a variable's name."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in key).upper()
