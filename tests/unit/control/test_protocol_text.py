"""The protocol document names what the tables hold, and its bytes are true."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from netcrier.control import framing, limits
from netcrier.control.methods import SHARED, TABLES, Stream
from netcrier.control.types.shared import INITIAL_CREDIT, ErrorCode

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "PROTOCOL.md").read_text()


SHARED_NAMES = {method.name for method in SHARED}


def rows_of(heading: str) -> dict[str, list[str]]:
    """The table under a heading of the methods: name to the other cells."""
    section = TEXT[TEXT.index("### Methods") :]
    table = section[section.index(f"**{heading}**") :].split("\n\n")[1]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    return {name.strip("`"): rest for name, *rest in cells}


def fields(kind: type[Any]) -> list[str]:
    return list(kind.__struct_fields__)


@pytest.mark.parametrize("daemon", TABLES)
def test_every_method_is_described_with_its_fields_and_right(daemon: str) -> None:
    own = rows_of(daemon)
    assert own.keys() == TABLES[daemon].keys() - SHARED_NAMES
    for name, (params, result, right, doc) in (own | rows_of("All")).items():
        method = TABLES[daemon][name]
        gives = method.item if isinstance(method, Stream) else method.result
        assert re.findall(r"`(\w+)`", params) == fields(method.params), name
        if not result.startswith("as "):
            assert re.findall(r"`(\w+)`", result.replace("(as of `nodes`)", "")) == fields(gives), name
        assert result.startswith("stream of") == isinstance(method, Stream), name
        assert (right, doc) == (method.right.value, method.doc), name


@pytest.mark.parametrize("code", [code.value for code in ErrorCode])
def test_every_error_code_is_described(code: str) -> None:
    assert f"| `{code}` |" in TEXT


def test_the_limits_are_those_in_force() -> None:
    assert limits.REQUEST_SIZE == 1024 * 1024 + 64 * 1024
    for number in (limits.CLIENTS, limits.CLIENTS_PER_UID, limits.OPEN_REQUESTS, limits.REQUEST_ITEMS, INITIAL_CREDIT):
        assert re.search(rf"\b{number}\b", TEXT)


def test_the_bytes_of_the_examples_are_messages() -> None:
    section = TEXT[TEXT.index("# The control protocol") :]
    examples = re.findall(r"^ {6}(9[34] [0-9a-f ]+)$", section, re.MULTILINE)
    assert len(examples) == 3
    for example in examples:
        (message,) = framing.Framer(limits.REQUEST_SIZE, limits.REQUEST_ITEMS).feed(bytes.fromhex(example))
        framing.decode(message)
