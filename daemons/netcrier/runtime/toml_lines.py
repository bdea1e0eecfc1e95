"""On which line of a TOML text each key stands. tomllib does not say, so the text is parsed in growing pieces.

A piece that ends inside a value does not parse and is skipped; the key then belongs to the first line after the last
piece that did. Quadratic, which a configuration file can bear: texts of more than `MOST_LINES` give no lines.
"""

from __future__ import annotations

import tomllib
from typing import Any

MOST_LINES = 2000


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as dotted keys. An empty table and an array stay values."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def key_lines(text: str) -> dict[str, int]:
    """The line, from 1, of each dotted key of a text that tomllib reads."""
    lines = text.split("\n")
    if len(lines) > MOST_LINES:
        return {}
    found: dict[str, int] = {}
    begin = 0
    for end in range(1, len(lines) + 1):
        try:
            keys = flatten(tomllib.loads("\n".join(lines[:end]) + "\n"))
        except tomllib.TOMLDecodeError:
            continue
        for key in keys:
            found.setdefault(key, begin + 1)
        begin = end
    return found
