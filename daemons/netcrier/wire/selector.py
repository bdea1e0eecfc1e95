r"""Selectors: which nodes a message or a question is for, by their tags.

    role=web,site!=fra,os=~deb.*

Tests joined by commas, all of which must hold: `key=value`, `key!=value`, `key=~pattern` (pattern.py). A node without
the tag differs from every value and matches no pattern. `name` is the node's name unless it has a tag of that key.
A backslash takes away a comma's meaning. The empty selector holds for every node.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from netcrier.errors import UsageError
from netcrier.wire.limits import NAME_MAX, SELECTOR_MAX, SELECTOR_TESTS_MAX
from netcrier.wire.pattern import Pattern

_OPERATORS = ("=~", "!=", "=")


class _Test(msgspec.Struct, frozen=True):
    """One test: a value to have, a value not to have, or a pattern to match."""

    key: str
    operator: str
    value: str
    pattern: Pattern | None

    def holds(self, facts: Mapping[str, str]) -> bool:
        actual = facts.get(self.key)
        if self.pattern:
            return actual is not None and self.pattern.matches(actual)
        return (actual == self.value) is (self.operator == "=")


class Selector(msgspec.Struct, frozen=True):
    """A selector that was read; `text` is what travels."""

    text: str
    tests: tuple[_Test, ...]

    def holds(self, facts: Mapping[str, str]) -> bool:
        """Whether a node of which these are the facts is meant."""
        return all(test.holds(facts) for test in self.tests)


def facts_of(name: str, tags: Iterable[tuple[str, str]]) -> dict[str, str]:
    """What selectors look at."""
    return {"name": name} | dict(tags)


def parse_selector(text: str) -> Selector:
    """The selector in `text`; UsageError says what is wrong with it."""
    if len(text.encode()) > SELECTOR_MAX:
        raise UsageError(f"the selector has {len(text.encode())} bytes; at most {SELECTOR_MAX} go")
    parts = _split(text) if text.strip() else []
    if len(parts) > SELECTOR_TESTS_MAX:
        raise UsageError(f"the selector has {len(parts)} tests; at most {SELECTOR_TESTS_MAX} go")
    return Selector(text, tuple(_test(part.strip()) for part in parts))


def _split(text: str) -> list[str]:
    """At the commas that no backslash precedes."""
    parts, begin, at = [], 0, 0
    while at < len(text):
        if text[at] == ",":
            parts.append(text[begin:at])
            begin = at + 1
        at += 2 if text[at] == "\\" else 1
    return [*parts, text[begin:]]


def _test(text: str) -> _Test:
    places = {text.find(operator): operator for operator in reversed(_OPERATORS) if operator in text}
    if not places:
        raise UsageError(f"{text!r} is no test: write key=value, key!=value or key=~pattern, joined by commas")
    at = min(places)
    operator = places[at]
    key, value = text[:at].strip(), text[at + len(operator) :].strip()
    if not key or len(key.encode()) > NAME_MAX:
        raise UsageError(f"{text!r}: a key has 1 to {NAME_MAX} bytes")
    if operator == "=~":
        return _Test(key, operator, value, Pattern(value))
    return _Test(key, operator, value.replace("\\,", ","), None)
