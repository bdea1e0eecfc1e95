"""A node's answers: in its slot, the same again for the same question, and no flood for a recorded one."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from netcrier.core.node.answers import Answers
from netcrier.core.questions import AGAIN_LEAST
from netcrier.errors import DecodeError
from netcrier.ids import NodeId
from netcrier.wire.limits import ANSWER_PART_MAX, ANSWER_PARTS_MAX, QUESTIONS_HELD

from tests import datagrams

ME = NodeId(bytes(16))
QUESTION = replace(datagrams.QUESTION, window_us=2000, deadline_ms=1000)
NAME = (QUESTION.head.boot, QUESTION.head.counter)


def heard() -> Answers:
    answers = Answers(ME)
    assert answers.heard(QUESTION, 10.0) == NAME
    return answers


def test_an_answer_leaves_in_its_slot_with_the_time_it_was_held() -> None:
    answers = heard()
    assert answers.timer is None
    answers.answer(NAME, 3, b"text", 4, 10.0)
    assert answers.timer is not None
    assert 10.0 <= answers.timer < 10.002
    (answer,) = answers.due(10.01)
    assert (answer.boot, answer.question, answer.code, answer.output, answer.size) == (*NAME, 3, b"text", 4)
    assert answer.held_us == pytest.approx(10_000, abs=1)
    assert answers.due(10.02) == []


def test_a_question_that_is_asked_again_is_answered_again() -> None:
    answers = heard()
    answers.answer(NAME, 0, b"", 0, 10.0)
    answers.due(10.01)
    assert answers.again(NAME, 10.1)
    assert len(answers.due(10.11)) == 1


def test_asked_again_before_the_answer_is_there_nothing_leaves() -> None:
    answers = heard()
    assert answers.again(NAME, 10.1)
    assert answers.timer is None


def test_a_recorded_question_does_not_make_a_node_flood() -> None:
    answers = heard()
    answers.answer(NAME, 0, b"", 0, 10.0)
    answers.due(10.01)
    with pytest.raises(DecodeError, match="replayed"):
        answers.again(NAME, 10 + AGAIN_LEAST / 4)
    with pytest.raises(DecodeError, match="replayed"):
        answers.again(NAME, 11.001)


def test_the_oldest_question_is_forgotten() -> None:
    answers = Answers(ME)
    names = []
    for number in range(QUESTIONS_HELD + 1):
        head = replace(QUESTION.head, counter=number)
        names.append(answers.heard(replace(QUESTION, head=head), 10.0))
    assert not answers.again(names[0], 10.1)
    assert answers.again(names[1], 10.1)
    answers.answer(names[0], 0, b"late", 4, 10.2)
    assert answers.timer is None


def test_output_beyond_the_limit_is_cut_and_said_to_be() -> None:
    answers = heard()
    answers.answer(NAME, 0, bytes(100_000), 100_000, 10.0)
    parts = answers.due(10.01)
    assert sum(len(part.output) for part in parts) == ANSWER_PART_MAX * ANSWER_PARTS_MAX
    assert {(part.parts, part.size) for part in parts} == {(ANSWER_PARTS_MAX, 100_000)}
