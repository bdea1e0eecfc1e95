"""MESSAGE: one message of the master, whole in one datagram.

head 32, lane 1, sequence 8, receipt window 4 (µs), sent 8 (µs since 1970), age limit 8 (ms, 0 none),
size 4, blocks 2 (0: the body follows; fragments are reserved), selector 1+n (empty: everyone), body, signature 64
"""

from __future__ import annotations

from dataclasses import dataclass

from netcrier.errors import DecodeError
from netcrier.ids import LANES, MessageId
from netcrier.wire.codec import Reader
from netcrier.wire.limits import BODY_MAX
from netcrier.wire.signed import Head, read_head, split, write_head

_SELECTOR_MAX = 255


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it was signed. `window_us`: over how many microseconds the nodes spread their first receipts."""

    head: Head
    lane: int
    sequence: int
    window_us: int
    sent_us: int
    body: bytes
    ttl_ms: int = 0
    selector: str = ""

    @property
    def id(self) -> MessageId:
        """(term, lane, sequence)."""
        return MessageId(self.head.term, self.lane, self.sequence)


def encode_message(message: Message) -> bytes:
    """The content to sign."""
    writer = write_head(message.head).uint(message.lane, 1).uint(message.sequence, 8)
    writer.uint(message.window_us, 4).uint(message.sent_us, 8).uint(message.ttl_ms, 8)
    writer.uint(len(message.body), 4).uint(0, 2).text(message.selector, _SELECTOR_MAX)
    return bytes(writer.put(message.body))


def decode_message(plaintext: bytes) -> Message:
    """The message of a signed plaintext; the signature is verified elsewhere."""
    reader = Reader(split(plaintext)[0])
    head, lane, sequence = read_head(reader), reader.uint(1), reader.uint(8)
    window_us, sent_us, ttl_ms = reader.uint(4), reader.uint(8), reader.uint(8)
    size, blocks, selector = reader.uint(4), reader.uint(2), reader.text(_SELECTOR_MAX)
    if blocks:
        raise DecodeError("reserved kind", "a message in fragments")
    body = reader.rest()
    if len(body) != size or size > BODY_MAX or lane not in LANES or not sequence:
        raise DecodeError("malformed", "message")
    return Message(head, lane, sequence, window_us, sent_us, body, ttl_ms, selector)
