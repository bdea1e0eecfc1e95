"""PROTOCOL.md against the code: kinds, limits, contexts, reasons and sizes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import netcrier
import pytest
from netcrier.wire.block import encode_block
from netcrier.wire.fetch import encode_fetch
from netcrier.wire.fragment import encode_fragment
from netcrier.wire.header import DOWN_SIZE, FRONT_SIZE, UP_SIZE
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import DATAGRAM_MAX, RENEW_SIZE
from netcrier.wire.report import encode_report, encode_request
from netcrier.wire.tally import CLEAR_SIZE

from tests import datagrams

DOCUMENT: Final = (Path(__file__).parents[3] / "PROTOCOL.md").read_text()
PACKAGE: Final = Path(netcrier.__file__).parent
SOURCE: Final = "\n".join(
    path.read_text()
    for layer in ("wire", "core", "masterd", "noded")
    for path in sorted((PACKAGE / layer).rglob("*.py"))
)
REASONS: Final = sorted(
    set(re.findall(r'DecodeError\("([a-z ]+)"', SOURCE))
    | set(re.findall(r'refused\["([a-z ]+)"\]', SOURCE))
    | set(re.findall(r'Verdict\.[A-Z_]+: "([a-z ]+)"', SOURCE))
)
CONTEXTS: Final = sorted(
    set(re.findall(r'person=b"([a-z ]+)"', SOURCE)) | set(re.findall(r'b"(netcrier 1 [a-z]+(?:\\0)?)"', SOURCE))
)


def section(title: str) -> str:
    """The text under a heading."""
    return DOCUMENT.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def fixed_sizes(title: str, table: int) -> list[tuple[int, int]]:
    """(offset, size) of the rows of a section's table that have numbers for both."""
    tables = [text for text in re.split(r"\n\n+", section(title)) if text.lstrip().startswith("| offset")]
    rows = re.findall(r"^\| (\d+) \| (\d+) \|", tables[table], re.MULTILINE)
    return [(int(offset), int(size)) for offset, size in rows]


def test_every_reason_is_explained_and_none_is_invented() -> None:
    assert sorted(re.findall(r"^\| `([a-z ]+)` \|", section("Refusals"), re.MULTILINE)) == REASONS


@pytest.mark.parametrize("context", CONTEXTS)
def test_every_context_of_a_key_or_signature_is_named(context: str) -> None:
    assert f"`{context}`" in section("Keys")


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_its_number(kind: Kind) -> None:
    number = f"0x{kind:x}" if kind >= 0x40 else str(int(kind))
    row = re.search(rf"^\| {kind.name} \| {number} \| (master|node) \|(.*)$", section("The front"), re.MULTILINE)
    assert row


@pytest.mark.parametrize(
    ("title", "table", "end"),
    [
        ("The front", 0, FRONT_SIZE),
        ("BEACON", 0, 100),
        ("MESSAGE", 0, DOWN_SIZE + 12),
        ("MESSAGE", 1, 67),
        ("SKIP", 0, 130),
        ("HEARD", 0, 33),
        ("SOLICIT", 0, 51),
        ("TURN", 0, 58),
        ("BLOCK, FRAGMENT, PARITY", 0, len(encode_block(datagrams.BLOCK)) - 32),
        ("BLOCK, FRAGMENT, PARITY", 1, len(encode_fragment(datagrams.FRAGMENT)) - len(datagrams.FRAGMENT.data)),
        ("FETCH", 0, len(encode_fetch(datagrams.FETCH)) - 8),
        ("HELLO and WELCOME", 0, len(datagrams.hello())),
        ("HELLO and WELCOME", 1, 45),
        ("HELLO and WELCOME", 2, 60),
        ("HELLO and WELCOME", 3, 81),
        ("RENEW and REKEY", 0, RENEW_SIZE - UP_SIZE - 28),
        ("RENEW and REKEY", 1, 60),
        ("RENEW and REKEY", 2, 73),
        ("REPORT", 0, UP_SIZE + 12),
        ("REPORT", 1, 25),
        ("REQUEST", 0, len(encode_request(datagrams.REQUEST)) - 20),
        ("CATCH_UP", 0, 9),
        ("QUESTION and ANSWER", 0, 40),
        ("QUESTION and ANSWER", 1, 34),
        ("TALLY", 0, CLEAR_SIZE + 12),
        ("TALLY", 1, 21),
        ("Join token", 0, 114),
    ],
)
def test_fields_of_fixed_size_lie_end_to_end(title: str, table: int, end: int) -> None:
    at = 0
    for offset, size in fixed_sizes(title, table):
        assert offset == at
        at = offset + size
    assert at == end


def test_the_stated_sizes_are_those_of_the_vectors() -> None:
    addresses, lanes, name = 2, 2, 3
    sealed = 28 + 25 + 17 * lanes + 1 + name
    assert len(datagrams.beacon()) == 102 + 16 * addresses + sealed + 64
    assert len(datagrams.message()) == DOWN_SIZE + 28 + 68 + len("a=b") + len(datagrams.MESSAGE.body) + 64
    assert len(datagrams.skip()) == DOWN_SIZE + 28 + 130
    assert len(datagrams.heard()) == DOWN_SIZE + 28 + 33 + 16 * 2 + 64
    assert len(datagrams.turn()) == DOWN_SIZE + 28 + 58 + 16 * 2 + 64
    assert len(datagrams.earlier_skip()) == len(datagrams.skip()) + 4
    assert len(encode_report(datagrams.OUTCOMES)) == len(encode_report(datagrams.REPORT)) + 12 * 3
    assert len(encode_report(datagrams.RESULTS)) == len(encode_report(datagrams.REPORT)) + 12 + 1 + 15 * 2
    assert len(datagrams.solicit()) == DOWN_SIZE + 28 + 51 + len(datagrams.SOLICIT.bitmap) + 64
    assert len(encode_report(datagrams.REPORT)) == 25 + 2 * 38 + 24 + 1
    assert len(datagrams.welcome()) == 60 + 16 + 81 + 1 + 36 * 2 + 1 + 29 + 1 + name
    assert len(datagrams.rekey()) == 60 + 16 + 73 + 36 * 2
    assert f"at most {DATAGRAM_MAX} bytes" in section("Ports and carriers")
