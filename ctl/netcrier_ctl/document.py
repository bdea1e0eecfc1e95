"""netctl's JSON: one object with its schema's name and version first.

A schema only gains keys; another meaning is another number. Bodies of messages are `text` where they are UTF-8, else
`body_b64`. Streams are JSON Lines: one such object a line.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Mapping
from typing import Any

import msgspec

VERSION = 1
"""Of every schema so far."""

Document = Mapping[str, Any] | msgspec.Struct
"""A struct, or names with plain values, structs and lists of them."""

_BODY = "body"


def encoded(kind: str, fields: Document) -> bytes:
    """One line of JSON, without its end."""
    values = plain(fields)
    return msgspec.json.encode({"schema": f"netctl.{kind}/{VERSION}", **values})


def plain(value: Any) -> Any:
    """Structs as dicts, and bodies as text or base64."""
    if isinstance(value, msgspec.Raw):
        return value
    if isinstance(value, msgspec.Struct):
        return plain({name: getattr(value, name) for name in value.__struct_fields__})
    if isinstance(value, Mapping):
        return dict(_entry(name, item) for name, item in value.items())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def _entry(name: str, value: Any) -> tuple[str, Any]:
    if not isinstance(value, bytes):
        return name, plain(value)
    try:
        return ("text" if name == _BODY else name), value.decode()
    except UnicodeDecodeError:
        return f"{name}_b64", b2a_base64(value, newline=False).decode()
