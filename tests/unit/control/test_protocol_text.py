"""The protocol document names what the tables hold, and its bytes are true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from netcrier.control import framing, limits
from netcrier.control.methods import TABLES
from netcrier.control.types.shared import INITIAL_CREDIT, ErrorCode

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "PROTOCOL.md").read_text()


@pytest.mark.parametrize("name", sorted({name for table in TABLES.values() for name in table}))
def test_every_method_is_described(name: str) -> None:
    assert f"| `{name}` |" in TEXT


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
