"""A node's answers: which questions it knows, when each answer leaves, and the same answer for the same question.

Rules:
- A question is known by (boot, counter) until newer ones have pushed it out; its answer is kept as long, so a question
  that is asked again is answered again and never carried out again.
- It is answered again within its time only, and not more often than AGAIN_LEAST: a recorded question that somebody
  sends again and again does not make nodes flood their master.
"""

from __future__ import annotations

from dataclasses import dataclass

from netcrier.core.pacing import receipt_slot
from netcrier.core.questions import AGAIN_LEAST, QuestionId
from netcrier.errors import DecodeError
from netcrier.ids import NodeId
from netcrier.wire.limits import QUESTIONS_HELD
from netcrier.wire.question import Answer, Question, parted


@dataclass(slots=True)
class _Known:
    until: float
    heard_at: float
    slot: float
    answer: tuple[int, bytes, int] | None = None
    due_at: float | None = None


class Answers:
    """See the module. `me` places the node's slots."""

    def __init__(self, me: NodeId) -> None:
        self._me = me
        self._known: dict[QuestionId, _Known] = {}

    def again(self, question: QuestionId, now: float) -> bool:
        """Whether it is known; then its answer, if there is one, leaves once more. DecodeError `replayed` too late or
        too soon after the last time."""
        known = self._known.get(question)
        if known is None:
            return False
        if now > known.until or now - known.heard_at < AGAIN_LEAST / 2:
            raise DecodeError("replayed")
        known.heard_at = now
        if known.answer:
            known.due_at = now + known.slot
        return True

    def heard(self, question: Question, now: float) -> QuestionId:
        """A new question: its answer is awaited."""
        identity = (question.head.boot, question.head.counter)
        slot = receipt_slot(self._me, question.head.counter, question.window_us / 1e6)
        self._known[identity] = _Known(now + question.deadline_ms / 1e3, now, slot)
        if len(self._known) > QUESTIONS_HELD:
            del self._known[next(iter(self._known))]
        return identity

    def answer(self, question: QuestionId, code: int, output: bytes, size: int, now: float) -> None:
        """The answer is there; it leaves in the node's slot. `size`: bytes of the output before any cut.

        One to a question that is no longer known is dropped.
        """
        known = self._known.get(question)
        if known:
            known.answer = (code, output, size)
            known.due_at = max(now, known.heard_at + known.slot)

    @property
    def timer(self) -> float | None:
        """When `due` has something to say."""
        if not self._known:
            return None
        return min((known.due_at for known in self._known.values() if known.due_at is not None), default=None)

    def due(self, now: float) -> list[Answer]:
        """The parts that leave now, without their counters."""
        found = []
        for (boot, counter), known in self._known.items():
            if known.answer and known.due_at is not None and known.due_at <= now:
                known.due_at = None
                (code, output, size), held_us = known.answer, min(int((now - known.heard_at) * 1e6), 0xFFFFFFFF)
                parts = parted(output)
                found += [
                    Answer(0, boot, counter, place, len(parts), code, held_us, size, part)
                    for place, part in enumerate(parts)
                ]
        return found
