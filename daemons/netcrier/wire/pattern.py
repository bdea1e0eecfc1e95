r"""Patterns of selectors: a small regular-expression language, matched without backtracking.

    c  \c       the character; after a backslash without its meaning here
    .           any character
    [a-z_] [^0-9]   one of them, none of them
    x* x+ x?    any number, at least one, at most one
    x|y  (x)    either; a group

A pattern speaks of the whole text. It becomes a short program whose states are followed side by side (Thompson, 1968;
Pike's machine), so the work is at most (size of the pattern) times (size of the text): no pattern is catastrophic.
Left out on purpose: anchors, counts, back-references, named classes; `^`, `$`, `{` and `}` are refused unless escaped.
"""

from __future__ import annotations

from typing import Final

import msgspec

from netcrier.errors import UsageError
from netcrier.wire.limits import PATTERN_DEPTH_MAX

_REPEATS: Final = "*+?"
_RESERVED: Final = "^${}"


class _Take(msgspec.Struct, frozen=True):
    """Takes one character that lies in one of the ranges, or in none of them."""

    ranges: tuple[tuple[str, str], ...]
    negated: bool = False

    def accepts(self, character: str) -> bool:
        return any(low <= character <= high for low, high in self.ranges) is not self.negated


class _Fork(msgspec.Struct, frozen=True):
    """Goes on at each of these places, counted from here."""

    places: tuple[int, ...]


_Step = _Take | _Fork
_ANY: Final = _Take((), negated=True)


class Pattern:
    """One pattern. Raises UsageError where the text is none."""

    __slots__ = ("_steps", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._steps = tuple(_Parser(text).whole())

    def matches(self, text: str) -> bool:
        """Whether it describes the whole of `text`."""
        here = self._reached({0})
        for character in text:
            taken = {at + 1 for at in here if self._takes(at, character)}
            here = self._reached(taken)
        return len(self._steps) in here

    def _takes(self, at: int, character: str) -> bool:
        step = self._steps[at] if at < len(self._steps) else None
        return isinstance(step, _Take) and step.accepts(character)

    def _reached(self, start: set[int]) -> set[int]:
        """Every place that is reached without taking a character."""
        found, left = set(start), list(start)
        while left:
            at = left.pop()
            step = self._steps[at] if at < len(self._steps) else None
            if isinstance(step, _Fork):
                fresh = {at + place for place in step.places} - found
                found |= fresh
                left += fresh
        return found


class _Parser:
    """From text to steps, by descent; a group inside PATTERN_DEPTH_MAX others is refused."""

    def __init__(self, text: str) -> None:
        self._text, self._at, self._depth = text, 0, 0

    def whole(self) -> list[_Step]:
        steps = self._either()
        if self._at < len(self._text):
            raise self._wrong("a ) without its (")
        return steps

    def _either(self) -> list[_Step]:
        left = self._sequence()
        while self._next("|"):
            right = self._sequence()
            left = [_Fork((1, len(left) + 2)), *left, _Fork((len(right) + 1,)), *right]
        return left

    def _sequence(self) -> list[_Step]:
        steps: list[_Step] = []
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            steps += self._repeated()
        return steps

    def _repeated(self) -> list[_Step]:
        one = self._one()
        mark = self._text[self._at : self._at + 1]
        if not mark or mark not in _REPEATS:
            return one
        self._at += 1
        if self._text[self._at : self._at + 1] in tuple(_REPEATS):
            raise self._wrong("a repetition of a repetition")
        back, past = _Fork((-len(one), 1)), len(one) + 1
        return {
            "*": [_Fork((1, past + 1)), *one, _Fork((-past,))],
            "+": [*one, back],
            "?": [_Fork((1, past)), *one],
        }[mark]

    def _one(self) -> list[_Step]:
        if self._next("("):
            self._depth += 1
            if self._depth > PATTERN_DEPTH_MAX:
                raise self._wrong(f"more than {PATTERN_DEPTH_MAX} groups in one another")
            steps = self._either()
            if not self._next(")"):
                raise self._wrong("a ( without its )")
            self._depth -= 1
            return steps
        if self._next("["):
            return [self._class()]
        if self._next("."):
            return [_ANY]
        if self._text[self._at] in _REPEATS:
            raise self._wrong("nothing to repeat")
        if self._text[self._at] in _RESERVED:
            raise self._wrong(f"{self._text[self._at]} has no meaning here; write \\{self._text[self._at]}")
        character = self._character()
        return [_Take(((character, character),))]

    def _class(self) -> _Take:
        negated, ranges = self._next("^"), []
        while not self._next("]"):
            low = high = self._character()
            if self._text[self._at : self._at + 1] == "-" and self._text[self._at + 1 : self._at + 2] != "]":
                self._at += 1
                high = self._character()
            if high < low:
                raise self._wrong(f"the range {low}-{high} is empty")
            ranges.append((low, high))
        if not ranges:
            raise self._wrong("an empty []")
        return _Take(tuple(ranges), negated)

    def _character(self) -> str:
        self._next("\\")
        if self._at >= len(self._text):
            raise self._wrong("it ends too early")
        self._at += 1
        return self._text[self._at - 1]

    def _next(self, character: str) -> bool:
        found = self._text[self._at : self._at + 1] == character
        self._at += found
        return found

    def _wrong(self, what: str) -> UsageError:
        return UsageError(f"the pattern {self._text!r}: {what}")
