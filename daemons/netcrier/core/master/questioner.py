"""Asks nodes questions and takes their answers: said at once to all, then again to who is silent."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from netcrier.core.events import MasterEvent
from netcrier.core.master.roster import Node
from netcrier.core.master.voice import Voice
from netcrier.core.questions import QuestionId, Questions
from netcrier.errors import UsageError
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import QUESTION_BODY_MAX
from netcrier.wire.question import Answer, Question, encode_question


class Questioner:
    """See the module. Answers, and the end of each question, become events."""

    def __init__(self, voice: Voice, events: deque[MasterEvent]) -> None:
        self._voice, self._events = voice, events
        self.open = Questions()

    def ask(
        self, name: str, body: bytes, selector: str, expected: Iterable[int], now: float, within: float,
        window: float, patience: float,
    ) -> QuestionId:  # fmt: skip
        """As `Speaker.ask`. `window`: seconds over which nodes spread their answers; `patience`: how long they are
        waited for before it is asked again."""
        if len(body) > QUESTION_BODY_MAX:
            raise UsageError(f"the question has {len(body)} bytes; one carries {QUESTION_BODY_MAX}")
        self.open.room()
        head = self._voice.head()
        question = Question(head, int(window * 1e6), int(within * 1e3), selector, name, body)
        plaintext = self._voice.signed(Kind.QUESTION, encode_question(question))
        identity = (head.boot, head.counter)
        self.open.ask(identity, plaintext, expected, now, within, patience)
        self._voice.say(self._voice.sealed(Kind.QUESTION, plaintext))
        return identity

    def answered(self, node: Node, answer: Answer, now: float) -> None:
        """A part of a node's answer."""
        reply = self.open.answered(node.row.index, answer, now)
        if reply:
            self._events.append(reply)

    def due(self, now: float) -> None:
        """Say what is due."""
        self._events.extend(self.open.over(now))
        for plaintext, indexes in self.open.due(now):
            self._voice.say_to(indexes, self._voice.sealed(Kind.QUESTION, plaintext))
