"""What a peer can grow has a cap, and every cap is reached by a test: at the limit, and beyond it.

The rule is mechanical. Some test function must reckon with the limit (a loop up to it, a comparison, a slice or
arithmetic) and show what happens beyond: a step over or short of it (`LIMIT + 1`), or a refusal (`raises`, `refused`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from netcrier.wire import limits

TESTS = Path(__file__).parents[2]
NAMES = [name for name in vars(limits) if name.isupper()]
_RECKONING = (ast.BinOp, ast.Compare, ast.Slice)


@cache
def functions() -> tuple[ast.FunctionDef, ...]:
    """Every test function, but for those of this file."""
    files = sorted(path for path in TESTS.rglob("test_*.py") if path != Path(__file__))
    return tuple(
        node
        for path in files
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def names(node: ast.AST) -> set[str]:
    """What is named anywhere below."""
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def reckonings(test: ast.FunctionDef, limit: str) -> Iterator[ast.AST]:
    """Where the test does more with a limit than to name it; its decorators count too."""
    for node in ast.walk(test):
        loop = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range"
        if (loop or isinstance(node, _RECKONING)) and limit in names(node):
            yield node


def reaches(test: ast.FunctionDef, limit: str) -> bool:
    """Whether it shows the limit and what lies beyond."""
    found = list(reckonings(test, limit))
    asserts = any(isinstance(node, ast.Assert) for node in ast.walk(test))
    steps = any(isinstance(node, ast.BinOp) for node in found)
    text = ast.unparse(test)
    refusal = "raises(" in text or "refused[" in text or "assert not " in text
    return bool(found) and (asserts or "raises(" in text) and (steps or refusal)


@pytest.mark.parametrize("limit", NAMES)
def test_every_limit_is_reached_and_passed_by_a_test(limit: str) -> None:
    assert any(reaches(test, limit) for test in functions()), f"no test shows what happens at {limit} and beyond"


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("for _ in range(LIMIT): add()\nwith pytest.raises(DecodeError): add()", True),
        ("assert fits(bytes(LIMIT)) and not fits(bytes(LIMIT + 1))", True),
        ("assert one.held == LIMIT\nassert one.refused['no room'] == 1", True),
        ("assert LIMIT", False),
        ("print(LIMIT + 1)", False),
        ("for _ in range(LIMIT): add()\nassert added", False),
    ],
)
def test_naming_a_limit_is_not_reaching_it(text: str, holds: bool) -> None:
    (test,) = ast.parse("def test_it():\n" + "".join(f"    {line}\n" for line in text.splitlines())).body
    assert isinstance(test, ast.FunctionDef)
    assert reaches(test, "LIMIT") is holds
