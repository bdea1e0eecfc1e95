"""BEACON: who the master is, where it listens, and how far its lanes go. Signed; the second half is sealed besides.

    front 12, epoch 4
    clear   Ed25519 key 32, X25519 key 32, term 4, boot 4, counter 8, flags 1 (bit 0: open group, bit 1: asks), port 2,
            addresses 1+n*16 (IPv6, IPv4 mapped)
    sealed  2+n: nonce 12, then sealed under the group key: lanes 1+n*(lane 1, highest 8, lowest kept 8),
            receipt window 4 (µs), presence interval 4 (ms), clock 8 (µs since 1970),
            next epoch 4 and ms until it holds 4 (0: none announced), group's name 1+n
    signature 64 over all before

A node that has the key checks the seal first, which is cheap. A node that lacks the key (new, or asleep through a
rotation) can verify the clear half and ask; it learns nothing of the traffic.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address

import msgspec

from netcrier.errors import DecodeError
from netcrier.ids import GroupId
from netcrier.wire.codec import Reader, Writer
from netcrier.wire.envelope import KEY_SIZE, SIGNATURE_SIZE, SealKey, Signer, Verifier
from netcrier.wire.header import FRONT_SIZE, front, read_front
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import ADDRESSES_MAX, DATAGRAM_MAX, LANES_MAX, NAME_MAX

_CONTEXT = b"netcrier 1 beacon\0"
_MAPPED = bytes(10) + b"\xff\xff"
_OPEN, _ASKING = 1, 2


class LaneSpan(msgspec.Struct, frozen=True):
    """What the master's store holds of one lane: 0 and 0 where nothing was sent in this term."""

    lane: int
    highest: int
    lowest: int


class Marks(msgspec.Struct, frozen=True):
    """The sealed half."""

    lanes: tuple[LaneSpan, ...]
    window_us: int
    presence_ms: int
    clock_us: int
    group_name: str
    next_epoch: int = 0
    next_in_ms: int = 0


class Beacon(msgspec.Struct, frozen=True):
    """The clear half. `addresses`: where nodes may answer; none means the source of the beacon. `asking`: the master
    does not speak yet; it asks nodes for the numbers that they have heard."""

    group: GroupId
    epoch: int
    signing_key: bytes
    agreement_key: bytes
    term: int
    boot: int
    counter: int
    open: bool
    port: int
    addresses: tuple[str, ...]
    asking: bool = False


def _packed(address: str) -> bytes:
    return IPv6Address(address).packed if ":" in address else _MAPPED + IPv4Address(address).packed


def _unpacked(data: bytes) -> str:
    return str(IPv4Address(data[12:])) if data.startswith(_MAPPED) else str(IPv6Address(data))


def encode_beacon(beacon: Beacon, marks: Marks, key: SealKey, signer: Signer) -> bytes:
    """The whole datagram."""
    clear = Writer().put(front(Kind.BEACON, beacon.group)).uint(beacon.epoch, 4)
    clear.put(beacon.signing_key, KEY_SIZE).put(beacon.agreement_key, KEY_SIZE)
    clear.uint(beacon.term, 4).uint(beacon.boot, 4).uint(beacon.counter, 8)
    clear.uint(_OPEN * beacon.open | _ASKING * beacon.asking, 1).uint(beacon.port, 2).uint(len(beacon.addresses), 1)
    for address in beacon.addresses:
        clear.put(_packed(address))
    inner = Writer().uint(len(marks.lanes), 1)
    for lane in marks.lanes:
        inner.uint(lane.lane, 1).uint(lane.highest, 8).uint(lane.lowest, 8)
    inner.uint(marks.window_us, 4).uint(marks.presence_ms, 4).uint(marks.clock_us, 8)
    inner.uint(marks.next_epoch, 4).uint(marks.next_in_ms, 4).text(marks.group_name, NAME_MAX)
    sealed = key.seal(bytes(clear), bytes(inner))
    size = len(sealed) - len(bytes(clear))
    content = bytes(clear) + size.to_bytes(2, "big") + sealed[-size:]
    return content + signer.sign(_CONTEXT, content)


def decode_beacon(datagram: bytes) -> Beacon:
    """The clear half; nothing is verified yet."""
    return _decode(datagram)[0]


def open_marks(datagram: bytes, keys: Mapping[int, SealKey]) -> Marks:
    """The sealed half; DecodeError `unknown epoch` or `bad seal`."""
    beacon, clear, sealed = _decode(datagram)
    key = keys.get(beacon.epoch)
    if key is None:
        raise DecodeError("unknown epoch")
    reader = Reader(key.open(clear + sealed, len(clear)))
    lanes = tuple(LaneSpan(reader.uint(1), reader.uint(8), reader.uint(8)) for _ in range(reader.count(LANES_MAX)))
    window_us, presence_ms, clock_us = reader.uint(4), reader.uint(4), reader.uint(8)
    next_epoch, next_in_ms, name = reader.uint(4), reader.uint(4), reader.text(NAME_MAX)
    reader.end()
    return Marks(lanes, window_us, presence_ms, clock_us, name, next_epoch, next_in_ms)


def verify_beacon(datagram: bytes, verifier: Verifier) -> None:
    """Returns, or raises DecodeError `bad signature`."""
    verifier.check(_CONTEXT, datagram[:-SIGNATURE_SIZE], datagram[-SIGNATURE_SIZE:])


def _decode(datagram: bytes) -> tuple[Beacon, bytes, bytes]:
    group = read_front(datagram).group
    reader = Reader(datagram)
    reader.take(FRONT_SIZE)
    epoch, signing_key, agreement_key = reader.uint(4), reader.take(KEY_SIZE), reader.take(KEY_SIZE)
    term, boot, counter = reader.uint(4), reader.uint(4), reader.uint(8)
    flags, port, count = reader.uint(1), reader.uint(2), reader.count(ADDRESSES_MAX)
    addresses = tuple(_unpacked(reader.take(16)) for _ in range(count))
    clear = datagram[: FRONT_SIZE + 4 + 2 * KEY_SIZE + 16 + 4 + 16 * count]
    sealed = reader.counted(DATAGRAM_MAX, width=2)
    reader.take(SIGNATURE_SIZE)
    reader.end()
    opened, asking = bool(flags & _OPEN), bool(flags & _ASKING)
    return (
        Beacon(group, epoch, signing_key, agreement_key, term, boot, counter, opened, port, addresses, asking),
        clear,
        sealed,
    )
