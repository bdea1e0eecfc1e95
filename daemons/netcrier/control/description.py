"""What `api.list` and `api.describe` answer: the method tables, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netcrier.control.methods import Stream
from netcrier.control.types.shared import MethodDescription, MethodName, MethodNames

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netcrier.control.methods import AnyMethod


def names(methods: Mapping[str, AnyMethod]) -> MethodNames:
    """Every method, sorted by name."""
    return MethodNames(
        [
            MethodName(name=name, right=method.right.value, stream=isinstance(method, Stream), doc=method.doc)
            for name, method in sorted(methods.items())
        ]
    )


def describe(method: AnyMethod) -> MethodDescription:
    """A method with the schemas of what goes in and comes out."""
    return MethodDescription(
        name=method.name,
        right=method.right.value,
        doc=method.doc,
        params=_schema(method.params),
        result=_schema(method.result),
        item=_schema(method.item) if isinstance(method, Stream) else None,
        lossless=method.lossless,
    )


def _schema(kind: Any) -> dict[str, Any]:
    import msgspec.json  # the schema generator is needed here alone

    return msgspec.json.schema(kind)
