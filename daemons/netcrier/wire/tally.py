"""TALLY: a node tells a master that asks, or that speaks with lower numbers than it has heard, what it has heard.

    clear   front 12, node 16, node's boot 4, node's X25519 key 32
    sealed  counter 8, highest term 4 and boot 4 heard of the master, highest epoch 4, lanes 1+n*(lane 1, term 4,
            received 8)

Sealed like a report, for the term and boot that the asking beacon names, and with the node's key beside: so a master
that has lost its store, or has an old copy of it, can read it. It proves who tells, not that it is true.
"""

from __future__ import annotations

from typing import Final

import msgspec

from netcrier.errors import DecodeError
from netcrier.ids import GroupId, NodeId
from netcrier.wire.codec import Reader, Writer
from netcrier.wire.envelope import KEY_SIZE, SealKey, node_id
from netcrier.wire.header import UP_SIZE, front, read_up
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import LANES_MAX

CLEAR_SIZE: Final = UP_SIZE + KEY_SIZE


class Tally(msgspec.Struct, frozen=True):
    """What a node has heard and has. `lanes`: (lane, term, received)."""

    counter: int
    term: int
    boot: int
    epoch: int
    lanes: tuple[tuple[int, int, int], ...]


def encode_tally(group: GroupId, public: bytes, boot: int, key: SealKey, tally: Tally) -> bytes:
    """The whole datagram, from the node with this X25519 key in its boot."""
    clear = Writer().put(front(Kind.TALLY, group)).put(node_id(public)).uint(boot, 4).put(public, KEY_SIZE)
    inner = Writer().uint(tally.counter, 8).uint(tally.term, 4).uint(tally.boot, 4).uint(tally.epoch, 4)
    inner.uint(len(tally.lanes), 1)
    for lane, term, received in tally.lanes:
        inner.uint(lane, 1).uint(term, 4).uint(received, 8)
    return key.seal(bytes(clear), bytes(inner))


def read_teller(datagram: bytes) -> tuple[NodeId, int, bytes]:
    """Who tells: id, boot and X25519 key; DecodeError `malformed` where id and key are not of one node."""
    header = read_up(datagram)
    reader = Reader(datagram)
    reader.take(UP_SIZE)
    public = reader.take(KEY_SIZE)
    if node_id(public) != header.node:
        raise DecodeError("malformed", "another node's key")
    return header.node, header.boot, public


def open_tally(datagram: bytes, key: SealKey) -> Tally:
    """The inverse of `encode_tally`."""
    reader = Reader(key.open(datagram, CLEAR_SIZE))
    counter, term, boot, epoch = reader.uint(8), reader.uint(4), reader.uint(4), reader.uint(4)
    lanes = tuple((reader.uint(1), reader.uint(4), reader.uint(8)) for _ in range(reader.count(LANES_MAX)))
    reader.end()
    return Tally(counter, term, boot, epoch, lanes)
