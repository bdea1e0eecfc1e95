"""The master's questions on their way: whom they still wait for, when to ask again, and which answers are whole.

Rules:
- A question is over when everyone has answered, or at its deadline; nothing of it is on disk.
- Those that lack are asked again after the answer window and the time-out that receipts have taught, ever more rarely.
  A node answers the same question with the same answer.
- A round trip counts only where the question went out once: else nobody knows which one was answered (RFC 6298,
  section 3, Karn's rule).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from netcrier.errors import UsageError
from netcrier.wire.limits import QUESTIONS_MAX
from netcrier.wire.question import Answer

QuestionId = tuple[int, int]
"""(boot, counter) of the question's head."""

AGAIN_LEAST: Final = 0.05
AGAIN_MOST: Final = 0.5


class Reply(msgspec.Struct, frozen=True):
    """A node's whole answer. `size`: bytes of its output before any cut; `after`: seconds since the question; `rtt`:
    seconds, None where it is not known."""

    question: QuestionId
    index: int
    code: int
    output: bytes
    size: int
    after: float
    rtt: float | None


class Over(msgspec.Struct, frozen=True):
    """Nothing more will come. `silent`: roster indexes of those that have not answered."""

    question: QuestionId
    silent: tuple[int, ...]


@dataclass(slots=True)
class _Open:
    plaintext: bytes
    asked_at: float
    deadline: float
    pause: float
    again_at: float
    outstanding: set[int]
    parts: dict[int, dict[int, bytes]] = field(default_factory=dict)
    rounds: int = 1


class Questions:
    """See the module."""

    def __init__(self) -> None:
        self._open: dict[QuestionId, _Open] = {}

    def room(self) -> None:
        """UsageError where too many questions are open."""
        if len(self._open) >= QUESTIONS_MAX:
            raise UsageError(f"{QUESTIONS_MAX} questions are open; wait for one to end")

    def ask(
        self, question: QuestionId, plaintext: bytes, expected: Iterable[int], now: float, within: float, pause: float
    ) -> None:
        """It goes out now; `pause`: seconds until it is asked again."""
        pause = max(pause, AGAIN_LEAST)
        self._open[question] = _Open(plaintext, now, now + within, pause, now + pause, set(expected))

    def answered(self, index: int, answer: Answer, now: float) -> Reply | None:
        """One part of a node's answer; the reply where it is whole by that."""
        question = (answer.boot, answer.question)
        one = self._open.get(question)
        if one is None or index not in one.outstanding:
            return None
        parts = one.parts.setdefault(index, {})
        parts[answer.part] = answer.output
        if len(parts) < answer.parts:
            return None
        del one.parts[index]
        one.outstanding.discard(index)
        after = now - one.asked_at
        rtt = max(0.0, after - answer.held_us / 1e6) if one.rounds == 1 else None
        output = b"".join(parts[place] for place in sorted(parts))
        return Reply(question, index, answer.code, output, answer.size, after, rtt)

    def forget(self, index: int) -> None:
        """Nothing is expected from this node any more."""
        for one in self._open.values():
            one.outstanding.discard(index)

    def cancel(self, question: QuestionId) -> None:
        """Nobody waits for it any more."""
        self._open.pop(question, None)

    @property
    def timer(self) -> float | None:
        """When `due` or `over` has something to say."""
        times = (
            one.asked_at if not one.outstanding else min(one.deadline, one.again_at) for one in self._open.values()
        )
        return min(times, default=None)

    def over(self, now: float) -> list[Over]:
        """The questions that have ended; each is said once."""
        found = [(question, one) for question, one in self._open.items() if not one.outstanding or one.deadline <= now]
        for question, _ in found:
            del self._open[question]
        return [Over(question, tuple(sorted(one.outstanding))) for question, one in found]

    def due(self, now: float) -> list[tuple[bytes, set[int]]]:
        """(plaintext, roster indexes) to ask again now."""
        found: list[tuple[bytes, set[int]]] = []
        for one in self._open.values():
            if one.again_at <= now:
                one.rounds += 1
                one.again_at = now + min(one.pause * (1 << min(one.rounds - 1, 6)), max(one.pause, AGAIN_MOST))
                found.append((one.plaintext, set(one.outstanding)))
        return found
