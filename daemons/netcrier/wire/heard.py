"""HEARD: the master has committed what these nodes told of single messages; they need not tell it again.

head 32, entries 1+n*(roster index 4, node's boot 4, counter of the report 8), signature 64
"""

from __future__ import annotations

import msgspec

from netcrier.wire.codec import Reader
from netcrier.wire.limits import HEARD_MAX
from netcrier.wire.signed import Head, read_head, split, write_head


class Entry(msgspec.Struct, frozen=True):
    """One report that the master has: of the node with this index, in this boot of it, with this counter."""

    index: int
    boot: int
    counter: int


class Heard(msgspec.Struct, frozen=True):
    """At most HEARD_MAX entries; more take a second datagram."""

    head: Head
    entries: tuple[Entry, ...]


def encode_heard(heard: Heard) -> bytes:
    """The content to sign."""
    writer = write_head(heard.head).uint(len(heard.entries), 1)
    for entry in heard.entries:
        writer.uint(entry.index, 4).uint(entry.boot, 4).uint(entry.counter, 8)
    return bytes(writer)


def decode_heard(plaintext: bytes) -> Heard:
    """The entries of a signed plaintext; the signature is verified elsewhere."""
    reader = Reader(split(plaintext)[0])
    head = read_head(reader)
    entries = tuple(Entry(reader.uint(4), reader.uint(4), reader.uint(8)) for _ in range(reader.count(HEARD_MAX)))
    reader.end()
    return Heard(head, entries)
