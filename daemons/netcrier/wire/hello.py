"""HELLO and WELCOME: how a node is let in, and how it gets group keys. The exchange is Noise IK (handshake.py).

    HELLO    front 12 | ephemeral 32, sealed static key 48, sealed: node's boot 4, machine 16, token id 8, proof 16,
             newest version 1, name 1+n, tags 1+n*(key, value), lanes 1+n*(lane 1, term 4, received 8),
             zeros; 640 bytes in all
    WELCOME  front 12, node 16 | ephemeral 32, sealed: signature 64, then term 4, boot 4, roster index 4,
             presence interval 4 (ms), newest version 1, keys 1+n*(epoch 4, key 32; the current one first),
             lanes 1+n*(lane 1, term 4, start 8, chain 16), group's name 1+n

The clear front is the Noise prologue. The proof is keyed BLAKE2b-128 of node id and boot under the token's secret; the
signature covers the node's transcript (its ephemeral key is the nonce) and the rest, so only the signing master can
give keys away. A WELCOME is never longer than the HELLO that it answers.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import msgspec

from netcrier.errors import DecodeError
from netcrier.ids import GroupId, NodeId
from netcrier.wire.codec import Reader, Writer
from netcrier.wire.envelope import DIGEST_SIZE, KEY_SIZE, SIGNATURE_SIZE, TAG_SIZE, Digest, Signer, Verifier
from netcrier.wire.header import FRONT_SIZE, front, read_single, single_front
from netcrier.wire.kinds import VERSION, Kind
from netcrier.wire.limits import HELLO_SIZE, LANES_MAX, NAME_MAX, TAGS_MAX, TAGS_SIZE_MAX

TOKEN_ID_SIZE: Final = 8
PROOF_SIZE: Final = 16
MACHINE_SIZE: Final = 16
_KEYS_MAX = 4
_CONTEXT = b"netcrier 1 welcome\0"
_PAYLOAD_SIZE: Final = HELLO_SIZE - FRONT_SIZE - 2 * KEY_SIZE - 2 * TAG_SIZE


class Hello(msgspec.Struct, frozen=True):
    """What a node says of itself. `lanes`: what it has, as (lane, term, received); none where it has no journal."""

    boot: int
    machine: bytes
    name: str
    tags: tuple[tuple[str, str], ...] = ()
    lanes: tuple[tuple[int, int, int], ...] = ()
    token: bytes = bytes(TOKEN_ID_SIZE)
    proof: bytes = bytes(PROOF_SIZE)


class LaneStart(msgspec.Struct, frozen=True):
    """Where a node's lane begins: it has, or does without, everything up to `start`; `chain` is the digest there."""

    lane: int
    term: int
    start: int
    chain: Digest


class Welcome(msgspec.Struct, frozen=True):
    """What a node needs to take part. `keys`: (epoch, secret), the current epoch first."""

    term: int
    boot: int
    index: int
    presence_ms: int
    keys: tuple[tuple[int, bytes], ...]
    lanes: tuple[LaneStart, ...]
    group_name: str


def tags_fit(tags: tuple[tuple[str, str], ...]) -> bool:
    """Whether every hello of a node can carry these tags."""
    sizes = [len(text.encode()) for tag in tags for text in tag]
    return len(tags) <= TAGS_MAX and max(sizes, default=0) <= NAME_MAX and sum(sizes) + len(sizes) <= TAGS_SIZE_MAX


def enrolment_proof(secret: bytes, node: NodeId, boot: int) -> bytes:
    """Shows that the node holds the token's secret."""
    return blake2b(node + boot.to_bytes(4, "big"), key=secret, digest_size=PROOF_SIZE, person=b"nc enrol").digest()


def hello_front(group: GroupId) -> bytes:
    """The clear front and prologue of a hello."""
    return front(Kind.HELLO, group)


def encode_hello(hello: Hello) -> bytes:
    """The payload to seal, padded."""
    writer = Writer().uint(hello.boot, 4).put(hello.machine, MACHINE_SIZE)
    writer.put(hello.token, TOKEN_ID_SIZE).put(hello.proof, PROOF_SIZE).uint(VERSION, 1)
    writer.text(hello.name, NAME_MAX).uint(len(hello.tags), 1)
    for key, value in hello.tags:
        writer.text(key, NAME_MAX).text(value, NAME_MAX)
    writer.uint(len(hello.lanes), 1)
    for lane, term, received in hello.lanes:
        writer.uint(lane, 1).uint(term, 4).uint(received, 8)
    payload = bytes(writer)
    assert len(payload) <= _PAYLOAD_SIZE, "tags too long for a hello"
    return payload.ljust(_PAYLOAD_SIZE, b"\0")


def decode_hello(payload: bytes) -> Hello:
    """The inverse of `encode_hello`."""
    if len(payload) != _PAYLOAD_SIZE:
        raise DecodeError("malformed", "hello of another size")
    reader = Reader(payload)
    boot, machine = reader.uint(4), reader.take(MACHINE_SIZE)
    token, proof, _version = reader.take(TOKEN_ID_SIZE), reader.take(PROOF_SIZE), reader.uint(1)
    name = reader.text(NAME_MAX)
    tags = tuple((reader.text(NAME_MAX), reader.text(NAME_MAX)) for _ in range(reader.count(TAGS_MAX)))
    lanes = tuple((reader.uint(1), reader.uint(4), reader.uint(8)) for _ in range(reader.count(LANES_MAX)))
    if any(reader.rest()):
        raise DecodeError("trailing", "hello")
    return Hello(boot, machine, name, tags, lanes, token, proof)


def welcome_front(group: GroupId, node: NodeId) -> bytes:
    """The clear front of a welcome."""
    return single_front(Kind.WELCOME, group, node)


def read_welcome_front(datagram: bytes) -> tuple[NodeId, bytes]:
    """For whom, and the answer of the handshake."""
    return read_single(datagram)


def encode_welcome(welcome: Welcome, transcript: bytes, signer: Signer) -> bytes:
    """The payload to seal; `transcript` is the handshake's hash after the hello."""
    writer = Writer().uint(welcome.term, 4).uint(welcome.boot, 4).uint(welcome.index, 4)
    writer.uint(welcome.presence_ms, 4).uint(VERSION, 1).uint(len(welcome.keys), 1)
    for epoch, key in welcome.keys:
        writer.uint(epoch, 4).put(key, KEY_SIZE)
    writer.uint(len(welcome.lanes), 1)
    for lane in welcome.lanes:
        writer.uint(lane.lane, 1).uint(lane.term, 4).uint(lane.start, 8).put(lane.chain, DIGEST_SIZE)
    content = bytes(writer.text(welcome.group_name, NAME_MAX))
    return signer.sign(_CONTEXT, transcript + content) + content


def decode_welcome(payload: bytes, transcript: bytes, verifier: Verifier) -> Welcome:
    """The inverse of `encode_welcome`; DecodeError `bad signature` where another than the master answered."""
    reader = Reader(payload)
    signature, content = reader.take(SIGNATURE_SIZE), reader.rest()
    verifier.check(_CONTEXT, transcript + content, signature)
    reader = Reader(content)
    term, boot, index, presence_ms = (reader.uint(4) for _ in range(4))
    reader.uint(1)
    keys = tuple((reader.uint(4), reader.take(KEY_SIZE)) for _ in range(reader.count(_KEYS_MAX)))
    lanes = tuple(
        LaneStart(reader.uint(1), reader.uint(4), reader.uint(8), Digest(reader.take(DIGEST_SIZE)))
        for _ in range(reader.count(LANES_MAX))
    )
    name = reader.text(NAME_MAX)
    reader.end()
    if not keys:
        raise DecodeError("malformed", "welcome without a key")
    return Welcome(term, boot, index, presence_ms, keys, lanes, name)
