"""Text for people: aligned tables, colour, and text from others made harmless. Numbers are in `units`.

What came over the network may hold bytes that drive a terminal; nothing reaches one but through `printable`.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from msgspec import Struct

GAP = "  "
"""Between two columns."""


class Style(Enum):
    """The few colours, as SGR parameters. A word always says the same."""

    GOOD = "32"
    BAD = "31"
    WARN = "33"
    HEAD = "2"


def styled(text: str, style: Style, color: bool) -> str:
    """`text` in a colour, or as it is where `color` is false."""
    return f"\x1b[{style.value}m{text}\x1b[0m" if color else text


def wants_color(choice: str, terminal: bool, no_color: str | None) -> bool:
    """`choice` is `auto`, `always` or `never`; auto: on a terminal, unless NO_COLOR is set and not empty."""
    return choice == "always" or (choice == "auto" and terminal and not no_color)


def printable(text: str) -> str:
    """`text` on one line, without anything that a terminal obeys: control characters become `\\n`, `\\x1b`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def body_text(body: bytes) -> str:
    """A message on one line; what is not UTF-8 as `\\xff`."""
    return printable(body.decode("utf-8", "backslashreplace"))


def fitted(text: str, width: int) -> str:
    """`text` cut to `width` characters; the cut is shown."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


class Column(Struct, frozen=True):
    """A column of a table."""

    title: str
    right: bool = False
    """Whether it is aligned to the right, as counts are."""


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None = None) -> list[str]:
    """Lines: the titles, then the rows, aligned; each cut to `width` characters.

    A row may have one cell more than there are columns: a note behind the table's edge.
    """
    cells = [[column.title for column in columns], *_harmless(rows)]
    sizes = [max(len(row[index]) for row in cells) for index in range(len(columns))]
    lines = [_line(row, sizes, [column.right for column in columns], GAP) for row in cells]
    return lines if width is None else [fitted(line, width) for line in lines]


def aligned(rows: Sequence[Sequence[str]], gap: str = GAP) -> list[str]:
    """Lines of left-aligned cells without titles; a row's last cell takes what room it needs."""
    cells = _harmless(rows)
    count = max(map(len, cells), default=1) - 1
    sizes = [max((len(row[index]) for row in cells if index < len(row) - 1), default=0) for index in range(count)]
    return [_line(row, sizes, [False] * count, gap) for row in cells]


def listing(names: Sequence[str], most: int = 10) -> str:
    """`a, b, c and 7 more`."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown


def short_id(text: str) -> str:
    """A hex id, as `9f3a…c1`."""
    return text if len(text) <= 8 else f"{text[:4]}…{text[-2:]}"


def _harmless(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[printable(cell) for cell in row] for row in rows]


def _line(row: Sequence[str], sizes: Sequence[int], right: Sequence[bool], gap: str) -> str:
    parts = [
        cell.rjust(size) if to_right else cell.ljust(size)
        for cell, size, to_right in zip(row, sizes, right, strict=False)
    ]
    return gap.join([*parts, *row[len(sizes) :]]).rstrip()
