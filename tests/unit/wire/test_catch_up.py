"""CATCH_UP and the frames that carry datagrams over TCP."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from netcrier.errors import DecodeError
from netcrier.wire.catch_up import CatchUp, Frames, decode_catch_up, encode_catch_up, frame
from netcrier.wire.limits import DATAGRAM_MAX, LANES_MAX

from tests import datagrams


def test_more_lanes_than_there_can_be_are_malformed() -> None:
    full = replace(datagrams.CATCH_UP, lanes=tuple((lane, 1, 9) for lane in range(LANES_MAX + 1)))
    assert decode_catch_up(encode_catch_up(replace(full, lanes=full.lanes[1:]))).lanes == full.lanes[1:]
    with pytest.raises(DecodeError, match="malformed"):
        decode_catch_up(encode_catch_up(full))


def test_a_cut_or_longer_plaintext_is_refused() -> None:
    encoded = encode_catch_up(CatchUp(1, ((0, 1, 5),)))
    for size in range(len(encoded)):
        with pytest.raises(DecodeError, match="truncated"):
            decode_catch_up(encoded[:size])
    with pytest.raises(DecodeError, match="trailing"):
        decode_catch_up(encoded + b"\0")


@given(st.lists(st.binary(max_size=DATAGRAM_MAX), max_size=8), st.integers(1, 3000))
def test_frames_come_back_whole_however_the_stream_is_cut(datagrams_: list[bytes], piece: int) -> None:
    stream = b"".join(map(frame, datagrams_))
    frames = Frames()
    found = [one for at in range(0, len(stream), piece) for one in frames.feed(stream[at : at + piece])]
    assert found == datagrams_


def test_a_frame_beyond_a_datagram_is_refused_before_it_is_read() -> None:
    assert Frames().feed(frame(bytes(DATAGRAM_MAX))) == [bytes(DATAGRAM_MAX)]
    with pytest.raises(DecodeError, match="too long"):
        Frames().feed((DATAGRAM_MAX + 1).to_bytes(2, "big"))
