"""Questions of callers: each is asked of the nodes that its selector means, and answered row by row as nodes answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from netcrier.control.types.question import AnswerRow
from netcrier.core.questions import Over, QuestionId, Reply
from netcrier.errors import NotFoundError, UsageError
from netcrier.wire.handled import Code, words
from netcrier.wire.limits import NAME_MAX
from netcrier.wire.selector import facts_of, parse_selector

if TYPE_CHECKING:
    from collections.abc import Callable

    from netcrier.core.master.roster import Node
    from netcrier.core.master.speaker import Speaker

TIMEOUT_MOST: Final = 3600.0


class Asking:
    """The open questions of this daemon; `flush` sends what the speaker has to send."""

    def __init__(self, speaker: Speaker, clock: Callable[[], float], flush: Callable[[], None]) -> None:
        self._speaker, self._clock, self._flush = speaker, clock, flush
        self._waiting: dict[QuestionId, asyncio.Queue[Reply | Over]] = {}

    def settle(self, event: Reply | Over) -> None:
        """An answer, or the end of a question."""
        queue = self._waiting.get(event.question)
        if queue:
            queue.put_nowait(event)

    async def ask(self, name: str, body: bytes, to: str, timeout: float) -> AsyncIterator[AnswerRow]:
        """Rows as nodes answer, at the end one for each that is silent. UsageError, NotFoundError."""
        if not 0 < timeout <= TIMEOUT_MOST:
            raise UsageError(f"a question waits more than 0 and at most {TIMEOUT_MOST:.0f} seconds")
        if len(name.encode()) > NAME_MAX:
            raise UsageError(f"a handler's name has at most {NAME_MAX} bytes")
        selector = parse_selector(to)
        roster = self._speaker.roster
        nodes = [
            node for node in roster if node.row.approved and selector.holds(facts_of(node.row.name, node.row.tags))
        ]
        if not nodes:
            raise NotFoundError(f"no node matches {to!r}" if to else "no node has joined yet")
        question = self._speaker.ask(name, body, to, (node.row.index for node in nodes), self._clock(), timeout)
        queue = self._waiting[question] = asyncio.Queue()
        self._flush()
        try:
            while isinstance(event := await queue.get(), Reply):
                node = roster.at(event.index)
                if node:
                    yield _row(node, event)
            for index in event.silent:
                node = roster.at(index)
                if node:
                    yield _row(node, None)
        finally:
            del self._waiting[question]
            self._speaker.give_up(question)


def _row(node: Node, reply: Reply | None) -> AnswerRow:
    row = node.row
    code = reply.code if reply else None
    if code is None:
        state = "silent"
    elif code == 0:
        state = "answered"
    else:
        state = "failed" if code < Code.NO_HANDLER or code == Code.TIMED_OUT else "refused"
    return AnswerRow(
        node=row.id.hex(),
        name=row.name,
        address=row.address,
        state=state,
        code=code,
        reason="" if code is None else words(code),
        output=reply.output if reply else b"",
        size=reply.size if reply else 0,
        after_ms=round(reply.after * 1000, 3) if reply else None,
        rtt_ms=None if reply is None or reply.rtt is None else round(reply.rtt * 1000, 3),
        seen=row.seen_us / 1e6 if row.seen_us else None,
    )
