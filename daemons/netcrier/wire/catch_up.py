"""CATCH_UP: a node that is far behind says how far it has come, over TCP; the master sends what follows, in order.

    CATCH_UP  counter 8, lanes 1+n*(lane 1, term 4, received 8); sealed as REPORT
    frame     size 2, datagram

TCP is one more carrier here: it takes the same datagrams, each behind its size. So a catch-up adds no key, no handshake
and no second way to be trusted; who cuts or changes the connection gains what he gains by losing datagrams.
"""

from __future__ import annotations

import msgspec

from netcrier.errors import DecodeError
from netcrier.wire.codec import Reader, Writer
from netcrier.wire.limits import DATAGRAM_MAX, LANES_MAX

_SIZE = 2


class CatchUp(msgspec.Struct, frozen=True):
    """What a node has. `lanes`: (lane, term, received), as in its hello."""

    counter: int
    lanes: tuple[tuple[int, int, int], ...]


def encode_catch_up(asked: CatchUp) -> bytes:
    """The plaintext to seal."""
    writer = Writer().uint(asked.counter, 8).uint(len(asked.lanes), 1)
    for lane, term, received in asked.lanes:
        writer.uint(lane, 1).uint(term, 4).uint(received, 8)
    return bytes(writer)


def decode_catch_up(plaintext: bytes) -> CatchUp:
    """The inverse of `encode_catch_up`."""
    reader = Reader(plaintext)
    counter = reader.uint(8)
    lanes = tuple((reader.uint(1), reader.uint(4), reader.uint(8)) for _ in range(reader.count(LANES_MAX)))
    reader.end()
    return CatchUp(counter, lanes)


def frame(datagram: bytes) -> bytes:
    """The datagram behind its size, as TCP carries it."""
    return len(datagram).to_bytes(_SIZE, "big") + datagram


class Frames:
    """Datagrams out of a stream of bytes that comes in pieces of any size."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The datagrams that are whole now; DecodeError `too long` where a size is beyond a datagram's."""
        data = self._left + data
        found, at = [], 0
        while len(data) - at >= _SIZE:
            size = int.from_bytes(data[at : at + _SIZE], "big")
            if size > DATAGRAM_MAX:
                raise DecodeError("too long", f"a frame of {size} bytes")
            if len(data) - at - _SIZE < size:
                break
            found.append(data[at + _SIZE : at + _SIZE + size])
            at += _SIZE + size
        self._left = data[at:]
        return found
