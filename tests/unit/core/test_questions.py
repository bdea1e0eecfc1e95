"""The master's questions: who is waited for, when they are asked again, which round trips count."""

from __future__ import annotations

from itertools import pairwise

import pytest
from msgspec.structs import replace
from netcrier.core.questions import AGAIN_LEAST, Over, Questions
from netcrier.errors import UsageError
from netcrier.wire.limits import QUESTIONS_MAX
from netcrier.wire.question import Answer

ONE = (1, 7)
WHOLE = Answer(0, 1, 7, 0, 1, 0, 500, 2, b"ok")


def asked(*nodes: int, within: float = 5.0, pause: float = 0.1) -> Questions:
    questions = Questions()
    questions.ask(ONE, b"question", nodes, now=10.0, within=within, pause=pause)
    return questions


def test_an_answer_is_told_once_with_the_round_trip_without_the_nodes_own_time() -> None:
    questions = asked(3, 4)
    reply = questions.answered(3, WHOLE, 10.002)
    assert reply
    assert (reply.question, reply.index, reply.code, reply.output, reply.size) == (ONE, 3, 0, b"ok", 2)
    assert reply.after == pytest.approx(0.002)
    assert reply.rtt == pytest.approx(0.0015)
    assert questions.answered(3, WHOLE, 10.003) is None
    assert questions.over(10.003) == []


def test_a_question_is_over_with_the_last_answer() -> None:
    questions = asked(3)
    questions.answered(3, WHOLE, 10.002)
    assert questions.timer is not None
    assert questions.timer <= 10.002
    assert questions.over(10.002) == [Over(ONE, ())]
    assert questions.over(10.002) == []
    assert questions.timer is None


def test_at_its_deadline_the_silent_are_named() -> None:
    questions = asked(5, 3, 4, within=1.0)
    questions.answered(4, WHOLE, 10.1)
    assert questions.over(10.999) == []
    assert questions.over(11.0) == [Over(ONE, (3, 5))]
    assert questions.answered(3, WHOLE, 11.1) is None


def test_parts_come_in_any_order_and_twice() -> None:
    questions = asked(3)
    parts = [
        replace(WHOLE, part=place, parts=3, size=6, output=text) for place, text in enumerate((b"ab", b"cd", b"ef"))
    ]
    assert questions.answered(3, parts[2], 10.1) is None
    assert questions.answered(3, parts[2], 10.1) is None
    assert questions.answered(3, parts[0], 10.1) is None
    reply = questions.answered(3, parts[1], 10.2)
    assert reply
    assert (reply.output, reply.size) == (b"abcdef", 6)


def test_an_answer_of_an_unknown_question_or_of_somebody_else_changes_nothing() -> None:
    questions = asked(3)
    assert questions.answered(3, replace(WHOLE, question=8), 10.1) is None
    assert questions.answered(3, replace(WHOLE, boot=2), 10.1) is None
    assert questions.answered(4, WHOLE, 10.1) is None


def test_who_lacks_is_asked_again_ever_more_rarely_and_its_round_trip_is_not_known() -> None:
    questions = asked(3, 4, within=100.0)
    assert questions.due(10.09) == []
    assert questions.due(10.1) == [(b"question", {3, 4})]
    questions.answered(3, WHOLE, 10.11)
    times: list[float] = []
    now = 10.1
    while len(times) < 4:
        now += 0.01
        times += [now] * bool(questions.due(now))
    assert [later - earlier for earlier, later in pairwise(times)] == pytest.approx([0.4, 0.5, 0.5], abs=0.02)
    reply = questions.answered(4, WHOLE, now + 0.01)
    assert reply
    assert reply.rtt is None


def test_it_is_not_asked_again_at_once_however_small_the_window() -> None:
    questions = asked(3, pause=0.0)
    assert questions.due(10 + AGAIN_LEAST / 2) == []


def test_too_many_open_questions_are_refused() -> None:
    questions = Questions()
    for number in range(QUESTIONS_MAX):
        questions.room()
        questions.ask((1, number), b"", [0], 0.0, 1.0, 1.0)
    with pytest.raises(UsageError, match=f"{QUESTIONS_MAX} questions are open"):
        questions.room()
    questions.cancel((1, 0))
    questions.room()


def test_a_forgotten_node_is_not_waited_for() -> None:
    questions = asked(3)
    questions.forget(3)
    assert questions.over(10.0) == [Over(ONE, ())]
