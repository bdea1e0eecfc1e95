"""What handlers do on this node: which run, with what, and what becomes of it.

Rules:
- Handlers run for a master that a join token named; for one that was merely the first to be heard only if the
  configuration says so.
- Messages start the handlers whose name begins with `message` (message_runs.py); another one runs only if a question
  names it.
- A question's number is in the journal before its handler starts: a question that is recorded and sent again after a
  restart starts nothing.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from netcrier.ids import LANES
from netcrier.noded.programs.files import HandlerFiles
from netcrier.noded.programs.message_runs import MessageRuns
from netcrier.noded.programs.runner import Ran, Run, folder
from netcrier.noded.programs.runs import Runs
from netcrier.wire.envelope import master_id
from netcrier.wire.handled import Code, words

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from netcrier.core.events import Asked, Pin
    from netcrier.core.node.listener import Listener
    from netcrier.core.outcomes import Untold
    from netcrier.errors import StoreError
    from netcrier.noded.config import HandlersSection
    from netcrier.noded.journal.entry import Entry
    from netcrier.noded.journal.journal import Journal
    from netcrier.runtime.store import Writer

_log = logging.getLogger("netcrier.noded")
SOCKET: Final = "handler.sock"
_IN_TIME: Final = 0.9
"""The part of a question's time in which its handler has to end, so that the answer still arrives in time."""


class Handling:
    """See the module. `begun(question)` commits a question's number and says whether it is new; `tell(untold)` tells
    the master what is in the journal; `failed(error)` is what the journal refuses."""

    def __init__(
        self,
        config: HandlersSection,
        runtime_dir: Path,
        listener: Callable[[], Listener],
        begun: Callable[[tuple[int, int, int]], Awaitable[bool]],
        clock: Callable[[], float],
        journal: Journal,
        writer: Writer,
        tell: Callable[[Sequence[Untold]], None],
        failed: Callable[[StoreError], None],
    ) -> None:
        self._config, self._listener, self._begun, self._clock = config, listener, begun, clock
        self.told, self.refused = tell, failed
        socket = runtime_dir / SOCKET
        self._runs = Runs(socket, config.running, config.waiting)
        self._files = HandlerFiles(folder())
        # A place for each lane: questions never keep a message waiting.
        self.messages = MessageRuns(config, Runs(socket, len(LANES), 0), self._files, journal, writer, self)

    def trusted(self, pin: Pin | None) -> bool:
        """Whether anything runs for this master."""
        return pin is not None and (pin.trust == "token" or self._config.first_use)

    def expects(self, pin: Pin | None) -> bool:
        """Whether messages that come now start handlers."""
        return self.trusted(pin) and bool(self._files.messages())

    def warnings(self) -> list[str]:
        """What an administrator should mend, a sentence each."""
        found = self._files.warnings()
        pin = self._listener().pin
        if pin and not self.trusted(pin) and self._files.messages():
            found.append("message handlers run only for a master that a join token named: netctl join")
        return found

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
            _log.info("handler %s for a question: %s", asked.name, words(ran.code))
        return ran

    # What message handlers need to know

    def runs_for(self, entry: Entry) -> bool:
        """Whether anything runs for the message's master: as it was trusted when the message came."""
        return entry.trust == "token" or self._config.first_use

    def follows(self, entry: Entry) -> bool:
        """Whether the message's master is the one that is told what became of it."""
        pin = self._listener().pin
        return pin is not None and master_id(pin.signing_key) == entry.master

    def facts_of(self, entry: Entry) -> dict[str, str]:
        """A message's variables, and who and where the node is."""
        return self.facts() | {
            "EVENT": "message",
            "ID": str(entry.id),
            "N": str(entry.n),
            "TERM": str(entry.id.term),
            "LANE": str(entry.id.lane),
            "SEQUENCE": str(entry.id.sequence),
            "SENT": f"{entry.sent_us / 1e6:.6f}",
            "RECEIVED": f"{entry.received_us / 1e6:.6f}",
            "SIZE": str(len(entry.body)),
            "SELECTOR": entry.selector,
            "TTL": f"{entry.ttl_ms / 1e3:.3f}" if entry.ttl_ms else "",
            "MASTER": entry.master.hex(),
            "TRUST": entry.trust,
        }

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
