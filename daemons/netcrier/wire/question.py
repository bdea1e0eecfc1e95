"""QUESTION and ANSWER: what the master wants to know now. Nothing of either is kept for a node that is away.

QUESTION  head 32, answer window 4 (µs), time to answer 4 (ms), selector 1+n (empty: everyone), name 1+n (empty: a
          ping), body, signature 64. The same datagram is sent again to nodes that have not answered.
ANSWER    counter 8, the question's boot 4 and counter 8, part 2, parts 2, code 2, held 4 (µs),
          size of the whole output 4, output; sealed as REPORT
"""

from __future__ import annotations

import msgspec

from netcrier.errors import DecodeError
from netcrier.wire.codec import Reader, Writer
from netcrier.wire.limits import ANSWER_PART_MAX, ANSWER_PARTS_MAX, NAME_MAX, QUESTION_BODY_MAX, SELECTOR_MAX
from netcrier.wire.signed import Head, read_head, split, write_head


class Question(msgspec.Struct, frozen=True):
    """A question as it was signed. Its name is (term, boot, counter) of its head."""

    head: Head
    window_us: int
    deadline_ms: int
    selector: str
    name: str
    body: bytes


class Answer(msgspec.Struct, frozen=True):
    """One part of a node's answer. `held_us`: from hearing the question to this datagram; `size`: bytes of the whole
    output, also of what was cut off."""

    counter: int
    boot: int
    question: int
    part: int
    parts: int
    code: int
    held_us: int
    size: int
    output: bytes


def encode_question(question: Question) -> bytes:
    """The content to sign."""
    writer = write_head(question.head).uint(question.window_us, 4).uint(question.deadline_ms, 4)
    writer.text(question.selector, SELECTOR_MAX).text(question.name, NAME_MAX)
    return bytes(writer.put(question.body))


def decode_question(plaintext: bytes) -> Question:
    """The question of a signed plaintext; the signature is verified elsewhere."""
    reader = Reader(split(plaintext)[0])
    head, window_us, deadline_ms = read_head(reader), reader.uint(4), reader.uint(4)
    selector, name, body = reader.text(SELECTOR_MAX), reader.text(NAME_MAX), reader.rest()
    if len(body) > QUESTION_BODY_MAX:
        raise DecodeError("malformed", "question")
    return Question(head, window_us, deadline_ms, selector, name, body)


def encode_answer(answer: Answer) -> bytes:
    """The plaintext to seal."""
    writer = Writer().uint(answer.counter, 8).uint(answer.boot, 4).uint(answer.question, 8)
    writer.uint(answer.part, 2).uint(answer.parts, 2).uint(answer.code, 2).uint(answer.held_us, 4)
    writer.uint(answer.size, 4)
    return bytes(writer.put(answer.output))


def decode_answer(plaintext: bytes) -> Answer:
    """The inverse of `encode_answer`."""
    reader = Reader(plaintext)
    counter, boot, question = reader.uint(8), reader.uint(4), reader.uint(8)
    part, parts, code, held_us, size = reader.uint(2), reader.uint(2), reader.uint(2), reader.uint(4), reader.uint(4)
    output = reader.rest()
    if not part < parts <= ANSWER_PARTS_MAX or len(output) > ANSWER_PART_MAX:
        raise DecodeError("malformed", "answer")
    return Answer(counter, boot, question, part, parts, code, held_us, size, output)


def parted(output: bytes) -> list[bytes]:
    """An answer's output as the parts that carry it, at least one; what is beyond the limit is cut off."""
    output = output[: ANSWER_PART_MAX * ANSWER_PARTS_MAX]
    return [output[at : at + ANSWER_PART_MAX] for at in range(0, len(output), ANSWER_PART_MAX)] or [b""]
