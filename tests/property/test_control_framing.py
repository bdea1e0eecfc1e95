"""Any bytes give messages or DecodeError, however they are cut."""

from __future__ import annotations

import contextlib
from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from netcrier.control import framing
from netcrier.control.framing import Framer
from netcrier.control.types.shared import Hello
from netcrier.errors import DecodeError

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.binary(max_size=40)
    | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
    max_leaves=20,
)


def _feed(data: bytes, cuts: list[int]) -> list[bytes] | str:
    framer, found = Framer(size=500, items=60, depth=6), []
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    try:
        for start, end in pairwise(places):
            found += framer.feed(data[start:end])
    except DecodeError as error:
        return error.reason
    return found


@given(st.binary(max_size=700), st.lists(st.integers(0, 700), max_size=4))
def test_any_bytes_give_messages_or_the_documented_error(data: bytes, cuts: list[int]) -> None:
    found = _feed(data, cuts)
    if isinstance(found, str):
        assert found in {"size", "items", "depth", "type"}
        return
    for message in found:
        with contextlib.suppress(DecodeError):
            decoded = framing.decode(message)
            if isinstance(decoded, framing.Request):
                framing.value_of(decoded.params, Hello)


@given(st.lists(VALUES, min_size=1, max_size=4), st.lists(st.integers(0, 700), max_size=4))
def test_every_value_is_cut_where_it_ends(values: list[object], cuts: list[int]) -> None:
    parts = [msgspec.msgpack.encode(value) for value in values]
    framer, found = Framer(size=10_000, items=1000, depth=16), []
    data = b"".join(parts)
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, end in pairwise(places):
        found += framer.feed(data[start:end])
    assert found == parts


@given(VALUES, st.integers(0, 2**32 - 1), st.text(max_size=30))
def test_a_request_is_read_back_as_it_was_written(value: object, number: int, method: str) -> None:
    message = framing.decode(framing.encode_request(number, method, value))
    assert isinstance(message, framing.Request)
    assert (message.id, message.method) == (number, method)
    expected = {} if value is None else value
    assert bytes(message.params) == msgspec.msgpack.encode(expected)
