"""The clear front of every datagram, and sealing behind it.

    all     magic "NC", version 1, kind 1, group 8                     12 bytes
    down    … epoch 4 | nonce 12, sealed                               (BEACON has clear fields between: beacon.py)
    up      … node 16, node's boot 4 | nonce 12, sealed
    to one  … node 16 | ephemeral key 32, sealed                        (WELCOME: hello.py; REKEY: rekey.py)
    HELLO: hello.py

The front is the seal's associated data, so none of it can be changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from netcrier.errors import DecodeError
from netcrier.ids import PEER_ID_SIZE, GroupId, MasterId, NodeId
from netcrier.wire.codec import Reader, Writer
from netcrier.wire.envelope import SealKey, derived_key
from netcrier.wire.kinds import MAGIC, VERSION, Kind
from netcrier.wire.limits import DATAGRAM_MAX

FRONT_SIZE: Final = 12
_KIND_END: Final = len(MAGIC) + 2
_FRONTS: Final = {MAGIC + bytes((VERSION, kind)): kind for kind in Kind}
"""By the first four bytes: garbage is refused by one look."""
_NUMBERS: Final = frozenset(Kind)

DOWN_SIZE: Final = FRONT_SIZE + 4
UP_SIZE: Final = FRONT_SIZE + PEER_ID_SIZE + 4


class Front(msgspec.Struct, frozen=True):
    """What every datagram begins with."""

    kind: Kind
    group: GroupId


class UpHeader(msgspec.Struct, frozen=True):
    """The clear front of REPORT and REQUEST."""

    kind: Kind
    group: GroupId
    node: NodeId
    boot: int


def front(kind: Kind, group: GroupId) -> bytes:
    """The first 12 bytes."""
    return MAGIC + bytes((VERSION, kind)) + group


def read_kind(datagram: bytes) -> Kind:
    """DecodeError names the misfit (`too long`, `bad magic`, `bad version`, `unknown kind`, …)."""
    if len(datagram) > DATAGRAM_MAX:
        raise DecodeError("too long")
    known = _FRONTS.get(datagram[:_KIND_END])
    if known is None or len(datagram) < FRONT_SIZE:
        raise _misfit(datagram)
    return known


def group_of(datagram: bytes) -> GroupId:
    """The group of a datagram of which the kind is read."""
    return GroupId(datagram[_KIND_END:FRONT_SIZE])


def read_front(datagram: bytes) -> Front:
    """Kind and group; DecodeError as `read_kind`."""
    return Front(read_kind(datagram), group_of(datagram))


def _misfit(datagram: bytes) -> DecodeError:
    """What is wrong with the front of this datagram."""
    reader = Reader(datagram)
    if reader.take(len(MAGIC)) != MAGIC:
        return DecodeError("bad magic")
    if reader.uint(1) != VERSION:
        return DecodeError("bad version")
    if (number := reader.uint(1)) not in _NUMBERS:
        return DecodeError("unknown kind", str(number))
    return DecodeError("truncated")


def seal_down(kind: Kind, group: GroupId, epoch: int, key: SealKey, plaintext: bytes) -> bytes:
    """A datagram for everyone who has the group key of `epoch`."""
    datagram = key.seal(front(kind, group) + epoch.to_bytes(4, "big"), plaintext)
    assert len(datagram) <= DATAGRAM_MAX, f"datagram of {len(datagram)} bytes"
    return datagram


def epoch_of(datagram: bytes) -> int:
    """The epoch in the header of a datagram from the master."""
    if len(datagram) < DOWN_SIZE:
        raise DecodeError("truncated")
    return int.from_bytes(datagram[FRONT_SIZE:DOWN_SIZE], "big")


def open_down(datagram: bytes, keys: Mapping[int, SealKey]) -> bytes:
    """The plaintext; DecodeError `unknown epoch` where none of `keys` is meant."""
    key = keys.get(epoch_of(datagram))
    if key is None:
        raise DecodeError("unknown epoch")
    return key.open(datagram, DOWN_SIZE)


def up_key(
    shared: bytes, kind: Kind, group: GroupId, master: MasterId, boots: tuple[int, int, int], node: NodeId
) -> SealKey:
    """The key of one kind from one node. `shared`: static X25519 secret; `boots`: master's term, boot, node's boot."""
    info = Writer().put(b"netcrier 1 up").uint(kind, 1).put(master).put(node)
    for number in boots:
        info.uint(number, 4)
    return SealKey(derived_key(shared, group, bytes(info)))


def up_front(header: UpHeader) -> bytes:
    """The clear front of an upward datagram."""
    assert len(header.node) == PEER_ID_SIZE
    return front(header.kind, header.group) + header.node + header.boot.to_bytes(4, "big")


def seal_up(header: UpHeader, key: SealKey, plaintext: bytes) -> bytes:
    """A datagram for the master alone."""
    return seal_behind(up_front(header), key, plaintext)


def seal_behind(clear: bytes, key: SealKey, plaintext: bytes) -> bytes:
    """A datagram behind a clear front that is made already."""
    datagram = key.seal(clear, plaintext)
    assert len(datagram) <= DATAGRAM_MAX, f"datagram of {len(datagram)} bytes"
    return datagram


def read_up(datagram: bytes) -> UpHeader:
    """The clear front of an upward datagram."""
    head = read_front(datagram)
    if len(datagram) < UP_SIZE:
        raise DecodeError("truncated")
    node, boot = datagram[FRONT_SIZE : FRONT_SIZE + PEER_ID_SIZE], datagram[FRONT_SIZE + PEER_ID_SIZE : UP_SIZE]
    return UpHeader(head.kind, head.group, NodeId(node), int.from_bytes(boot, "big"))


def single_front(kind: Kind, group: GroupId, node: NodeId) -> bytes:
    """The clear front of what answers one node."""
    return front(kind, group) + node


def read_single(datagram: bytes) -> tuple[NodeId, bytes]:
    """For which node, and the answer of the handshake."""
    read_front(datagram)
    reader = Reader(datagram)
    reader.take(FRONT_SIZE)
    return NodeId(reader.take(PEER_ID_SIZE)), reader.rest()
