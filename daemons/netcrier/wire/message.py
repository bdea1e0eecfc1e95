"""MESSAGE: one message of the master, whole in one datagram, or what binds a body that comes in blocks of fragments.

head 32, lane 1, sequence 8, receipt window 4 (µs), sent 8 (µs since 1970), age limit 8 (ms, 0 none),
size 4, blocks 2 (0: the body follows), selector 1+n (empty: everyone), body, or a digest 16 of each block (block.py),
signature 64
"""

from __future__ import annotations

from struct import Struct
from typing import Final

import msgspec

from netcrier.errors import DecodeError
from netcrier.ids import LANES, MessageId
from netcrier.wire.block import check_size
from netcrier.wire.codec import Reader, at_most
from netcrier.wire.envelope import DIGEST_SIZE, Digest
from netcrier.wire.limits import BODY_MAX, SELECTOR_MAX
from netcrier.wire.signed import Head, read_head, split, write_head

ROOM: Final = 1056
"""Bytes of body and selector together that one datagram carries."""

_FIXED: Final = Struct(">BQIQQIHB")
"""From the lane to the length of the selector."""


class Message(msgspec.Struct, frozen=True):
    """A message as it was signed. `window_us`: over how many microseconds the nodes spread their first receipts.

    With `blocks` (their digests) the body is `size` bytes long and comes in fragments; `body` is empty until then.
    """

    head: Head
    lane: int
    sequence: int
    window_us: int
    sent_us: int
    body: bytes
    ttl_ms: int = 0
    selector: str = ""
    size: int = 0
    blocks: tuple[Digest, ...] = ()

    @property
    def id(self) -> MessageId:
        """(term, lane, sequence)."""
        return MessageId(self.head.term, self.lane, self.sequence)


def encode_message(message: Message) -> bytes:
    """The content to sign."""
    writer = write_head(message.head).uint(message.lane, 1).uint(message.sequence, 8)
    writer.uint(message.window_us, 4).uint(message.sent_us, 8).uint(message.ttl_ms, 8)
    writer.uint(message.size if message.blocks else len(message.body), 4).uint(len(message.blocks), 2)
    writer.text(message.selector, SELECTOR_MAX)
    return bytes(writer.put(b"".join(message.blocks) or message.body))


def decode_message(plaintext: bytes) -> Message:
    """The message of a signed plaintext; the signature is verified elsewhere."""
    reader = Reader(split(plaintext)[0])
    head = read_head(reader)
    lane, sequence, window_us, sent_us, ttl_ms, size, blocks, length = reader.fields(_FIXED)
    selector = reader.utf8(at_most(length, SELECTOR_MAX)) if length else ""
    if lane not in LANES or not sequence:
        raise DecodeError("malformed", "message")
    if blocks:
        check_size(size, blocks)
        digests = tuple(Digest(reader.take(DIGEST_SIZE)) for _ in range(blocks))
        reader.end()
        return Message(head, lane, sequence, window_us, sent_us, b"", ttl_ms, selector, size, digests)
    body = reader.rest()
    if len(body) != size or size > BODY_MAX:
        raise DecodeError("malformed", "message")
    return Message(head, lane, sequence, window_us, sent_us, body, ttl_ms, selector)
